import { createServer, type AddressInfo } from 'node:net';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { resumedFleet } from '../../../cli/actions/resume';
import { ownServersBy, serverEnvironment, withoutOthers } from '../../../cli/servers/own-environment';
import { environmentIn } from '../../../cli/system/deployment';
import { hadPort, readRemembered, remember, type RememberedRun } from '../../../cli/system/remembered-run';
import {
  createRunFolder,
  discardUnbegun,
  hasBegun,
  latestRun,
  runFolder,
} from '../../../cli/system/run-folder';
import { type SystemProcess } from '../../../cli/system/running';
import { silentProgress } from '../../../cli/progress';
import { fleetSettingsSchema } from '../../../fleet/settings';
import { NAMES } from '../../support/names';
import { runningEntry } from '../../support/running-entry';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-resume-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FLEET = fleetSettingsSchema.parse({ data: '/data/weather', devices: 60, seed: 7 });
const SIMULATED = { simulation: JSON.stringify(FLEET) };
const REAL = { simulation: null };

describe('a run that is gone on with', () => {
  it('has the simulated fleet that it had, with all of its settings', () => {
    expect(resumedFleet('run-1', SIMULATED, { fleet: false })).toEqual(FLEET);
    expect(resumedFleet('run-1', SIMULATED, { fleet: true, devices: 60, data: '/data/weather' })).toEqual(
      FLEET,
    );
    expect(resumedFleet('run-1', REAL, { fleet: false })).toBeUndefined();
  });

  it('gets no other fleet, and says which it had', () => {
    expect(() => resumedFleet('run-1', SIMULATED, { fleet: true, devices: 70 })).toThrow(
      'run run-1 had a simulated fleet with --devices 60, so --devices cannot say otherwise when it goes on',
    );
    expect(() => resumedFleet('run-1', SIMULATED, { fleet: false, seed: 8 })).toThrow('--seed 7');
    expect(() => resumedFleet('run-1', REAL, { fleet: true })).toThrow(
      'run run-1 had no simulated fleet, so --fleet cannot be given when it goes on',
    );
  });

  it('is remembered in its folder; a run of an earlier release is not', async () => {
    const run = await createRunFolder(folder, 'run-1');
    expect(await readRemembered(run)).toBeUndefined();
    const what: RememberedRun = {
      fleet: NAMES.fleet,
      config: null,
      simulation: null,
      ports: {
        kafka: 9092,
        temporal: null,
        temporalUi: null,
        temporalMetrics: null,
        prometheus: null,
        workers: { site: 9464 },
      },
    };
    await remember(run, what);
    expect(await readRemembered(run)).toEqual(what);
    for (const damaged of ['', '{', 'null', '[]', '{"fleet":"x"}']) {
      await writeFile(join(run.path, 'system.json'), damaged);
      await expect(readRemembered(run)).rejects.toMatchObject({
        code: 'InvalidData',
        message: expect.stringContaining('system.json is damaged') as string,
      });
    }
  });

  it('gets the ports that it had, unless another program has one, which is said', async () => {
    const taken = createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const { port } = taken.address() as AddressInfo;
    const notes: string[] = [];
    const progress = { ...silentProgress, note: (line: string) => notes.push(line) };
    expect(await hadPort('Kafka', port, progress)).toBeUndefined();
    taken.close();
    await once(taken, 'close');
    expect(await hadPort('Kafka', port, progress)).toBe(port);
    expect(await hadPort('Kafka', null, progress)).toBeUndefined();
    expect(notes).toEqual([
      `Port ${port}, which Kafka had before, is taken by another program: it gets another one.`,
    ]);
  });
});

it('a run that was refused before it began leaves no folder; one that has begun stays', async () => {
  const refused = await createRunFolder(folder, 'run-1');
  await discardUnbegun(refused);
  expect(await latestRun(folder)).toBeUndefined();
  await expect(rm(join(folder, 'runs'), { recursive: true })).rejects.toMatchObject({ code: 'ENOENT' });
  const begun = await createRunFolder(folder, 'run-2');
  await mkdir(begun.servers);
  await discardUnbegun(begun);
  expect(await hasBegun(runFolder(folder, 'run-2'))).toBe(true);
});

describe('credentials of other servers in the shell', () => {
  const shell = {
    PATH: '/bin',
    LC_ALL: 'C',
    KAFKA_SASL_USERNAME: 'joe',
    KAFKA_SASL_PASSWORD: 'secret',
    TEMPORAL_API_KEY: 'secret',
    FEDLOOP_MQTT_PASSWORD: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };

  it('are left out, and named without their values, where servers are our own', () => {
    const { env, ignored } = withoutOthers(shell, ownServersBy(shell));
    expect(ignored).toEqual(['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD', 'TEMPORAL_API_KEY']);
    expect(Object.keys(env)).toEqual(['PATH', 'LC_ALL', 'FEDLOOP_MQTT_PASSWORD', 'AWS_SECRET_ACCESS_KEY']);
  });

  it('stay for the servers that the shell names', () => {
    const named = { ...shell, KAFKA_BROKERS: 'kafka:9092', TEMPORAL_ADDRESS: 'temporal:7233' };
    expect(withoutOthers(named, ownServersBy(named))).toEqual({ env: named, ignored: [] });
  });

  it('never reach a server that is started', () => {
    expect(serverEnvironment(shell)).toEqual({ PATH: '/bin', LC_ALL: 'C' });
  });

  it('are not taken to a running system’s own servers, and are to those that it was led to', async () => {
    const own = (name: string): SystemProcess => ({
      name,
      pid: 1,
      started: null,
      restarts: 0,
      trouble: null,
    });
    const system = runningEntry({ processes: [own('Kafka')] });
    const env = await environmentIn({ ...SESSION, env: shell }, system);
    expect(env).toMatchObject({ KAFKA_BROKERS: '127.0.0.1:1', TEMPORAL_API_KEY: 'secret' });
    expect(env).not.toHaveProperty('KAFKA_SASL_PASSWORD');
  });
});

const SESSION = {
  progress: silentProgress,
  signal: new AbortController().signal,
  folder: '/nowhere',
  out: () => undefined,
};
