import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { Processes } from '../../cli/processes/processes';
import { silentProgress } from '../../cli/progress/progress';
import { cacheFolder } from '../../cli/servers/cache';
import { obtainTemporal } from '../../cli/servers/obtain-temporal';
import { startTemporal, TEMPORAL_NAMESPACE, type TemporalServer } from '../../cli/servers/start-temporal';
import { poll } from '../../cli/shared/wait';
import { silentLogger } from '../../core/platform/log';
import { TemporalContact } from '../../workers/temporal-contact';
import { describeWith, MOUNT } from '../support/requirements';
import { SmallDisk } from '../support/small-disk';

const LOOK_MILLIS = 500;
/** The server notices with its next write, and takes its workflows up again after pauses that have grown meanwhile. */
const NOTICED_MILLIS = 60_000;
const MEGABYTES = 16;

jest.setTimeout(60_000 + 2 * NOTICED_MILLIS);

describeWith(MOUNT, 'a Temporal server whose disk is full', () => {
  let folder: string;
  let disk: SmallDisk;
  let processes: Processes;
  let server: TemporalServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedloop-temporal-disk-'));
    disk = SmallDisk.mount(join(folder, 'servers'), MEGABYTES);
    processes = Processes.start();
    const program = await obtainTemporal(cacheFolder(), processes, silentProgress);
    const database = join(disk.folder, 'temporal.db');
    server = await startTemporal({ processes, program, database, logFolder: folder });
  });
  afterAll(async () => {
    await processes.stopAll(0);
    disk.unmount();
    await rm(folder, { recursive: true, force: true });
  });

  it('is told by whoever waits for it, until there is space', async () => {
    const connection = await NativeConnection.connect({ address: server.address });
    const contact = new TemporalContact(connection, TEMPORAL_NAMESPACE, silentLogger(), LOOK_MILLIS);
    const client = new Client({ connection: await Connection.connect({ address: server.address }) });
    const until = (is: (trouble: string) => boolean): Promise<string | undefined> =>
      poll(() => Promise.resolve(is(contact.trouble ?? '') ? (contact.trouble ?? 'none') : undefined), {
        everyMillis: 100,
        timeoutMillis: NOTICED_MILLIS,
      });
    await new Promise((wake) => setTimeout(wake, 3 * LOOK_MILLIS));
    expect(contact.trouble).toBeUndefined();

    disk.fill();
    const started = client.workflow.start('any', { taskQueue: 'none', workflowId: 'one' });
    started.catch(() => undefined);
    expect(await until((trouble) => trouble !== '')).toBe(
      'the Temporal server answers, but not from its database, so that no workflow moves. Check the space on its disk and its log; the worker goes on by itself when it is back.',
    );

    disk.free();
    expect(await until((trouble) => trouble === '')).toBe('none');
    contact.close();
    // A call that is being tried again throws from a timer when its connection has gone.
    await started.catch(() => undefined);
    await client.connection.close();
    await connection.close();
  });
});
