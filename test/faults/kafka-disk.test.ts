import { truncateSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageWithHint } from '../../core/contracts/errors';
import { describeWith, MOUNT } from '../support/requirements';
import { SmallDisk } from '../support/small-disk';
import { StreamSystem } from '../support/stream-system';

const MEGABYTES = 160;
const TOPIC = { name: 'letters', partitions: 3, cleanup: 'delete' } as const;

jest.setTimeout(180_000);

describeWith(MOUNT, 'a broker whose disk takes no more files', () => {
  let system: StreamSystem;
  let disk: SmallDisk;

  beforeAll(async () => {
    system = await StreamSystem.start({}, (folder) => {
      disk = SmallDisk.mount(join(folder, 'kafka'), MEGABYTES);
    });
    const kafka = await system.connect();
    await kafka.createTopics([TOPIC]);
    const producer = await kafka.producer();
    for (const partition of [0, 1, 2])
      await producer.send(TOPIC.name, [{ key: null, value: 'one', partition }]);
    await producer.disconnect();
    await kafka.disconnect();
  });
  afterAll(async () => {
    await system.endBroker('stopped');
    disk.unmount();
    await system.stop();
  });

  const lettersKept = async (): Promise<readonly number[]> => {
    const kafka = await system.connect();
    const offsets = await kafka.offsets(TOPIC.name);
    await kafka.disconnect();
    return offsets.map(({ high }) => high);
  };

  it('is not started, for it would cut its logs off, and has every record once there is room', async () => {
    await system.endBroker('killed');
    disk.refuseFiles();
    const refused = await system.startBroker().catch(messageWithHint);
    expect(refused).toBe(
      `the disk of ${disk.folder} is full. Free space on it (\`df -h\` shows it), or put the folder on a larger one.`,
    );
    disk.takeFiles();
    await system.startBroker();
    expect(await lettersKept()).toEqual([1, 1, 1]);
  });

  it('gets back what it knew of its topics where that was cut off all the same', async () => {
    await system.endBroker('killed');
    const metadata = join(disk.folder, 'data', '__cluster_metadata-0');
    for (const name of readdirSync(metadata)) if (name.endsWith('.log')) truncateSync(join(metadata, name));
    await system.startBroker();
    expect(await lettersKept()).toEqual([1, 1, 1]);
  });
});
