import { TOPICS } from '../../../core/contracts/topics';
import { readSpread, SourceMemory } from '../../../core/ingest/source-memory';
import { silentLogger } from '../../../core/platform/log';
import { MemoryKafka } from '../fleet/memory-kafka';

const { name: MEMORY } = TOPICS.ingestMemory;
const LOG = `a-cluster/${'0123456789abcdef'.repeat(2)}`;

let kafka: MemoryKafka;
beforeEach(() => {
  kafka = new MemoryKafka({ [MEMORY]: 1 });
});

const open = async (): Promise<SourceMemory> =>
  SourceMemory.open(kafka, await kafka.producer(), silentLogger());

/** A topic of so many partitions, with as many records in each. */
const topicOf = (partitions: number, high = 0) => Array.from({ length: partitions }, () => ({ high }));

describe('over how many partitions devices are spread', () => {
  it('is decided once: a partition that is added later gets none of them', async () => {
    expect(await readSpread(kafka)).toBeUndefined();
    expect(await (await open()).spread(topicOf(6))).toBe(6);
    expect(await (await open()).spread(topicOf(9))).toBe(6);
    expect(await readSpread(kafka)).toBe(6);
  });

  it('is decided anew for a topic that has fewer, as one that was made anew', async () => {
    await (await open()).spread(topicOf(6));
    expect(await (await open()).spread(topicOf(4))).toBe(4);
    expect(await (await open()).spread(topicOf(6))).toBe(4);
  });

  it('is said to be a guess where events are there and nothing says it', async () => {
    const said: string[] = [];
    const warn = (_about: unknown, message: string): void => void said.push(message);
    const log = Object.assign(silentLogger(), { warn });
    const memory = await SourceMemory.open(kafka, await kafka.producer(), log);
    expect(await memory.spread(topicOf(6, 9))).toBe(6);
    expect(said).toEqual([expect.stringMatching(/^ingest-memory does not say .* split_devices/)]);
  });

  it('is not known before a worker of this release has made the topic', async () => {
    expect(await readSpread(new MemoryKafka({}))).toBeUndefined();
  });
});

describe('which logs were read', () => {
  it('is known after a restart, of each partition of each topic', async () => {
    const before = await open();
    expect(before.hasRead('plant/a')).toBe(false);
    await before.remember('plant/a', [{ partition: 0 }, { partition: 12, offset: 5 }], LOG);
    const after = await open();
    expect(after.hasRead('plant/a')).toBe(true);
    expect([0, 1, 12].map((partition) => after.logOf('plant/a', partition))).toEqual([
      { log_id: LOG },
      undefined,
      { log_id: LOG, offset: 5 },
    ]);
    expect(after.hasRead('a')).toBe(false);
  });

  it('is written down again where the topic was deleted meanwhile', async () => {
    const memory = await open();
    await memory.spread(topicOf(3));
    await memory.remember('plant', [{ partition: 0, offset: 7 }], LOG);
    kafka.remove(MEMORY);
    await memory.refresh();
    const after = await open();
    expect(after.logOf('plant', 0)).toEqual({ log_id: LOG, offset: 7 });
    expect(await after.spread(topicOf(5))).toBe(3);
  });

  it('is not taken from messages that are not ours', async () => {
    const value = (content: unknown) => JSON.stringify(content);
    kafka.append(MEMORY, [
      { key: 'devices', value: value({ partitions: 0 }) },
      { key: 'devices', value: '{' },
      { key: 'log/x/plant', value: value({ log_id: LOG }) },
      { key: 'log/0/plant', value: value({ log_id: '../etc' }) },
      { key: 'log/0/plant', value: null },
      { key: null, value: value({ log_id: LOG }) },
    ]);
    const memory = await open();
    expect(memory.hasRead('plant')).toBe(false);
    expect(await memory.spread(topicOf(3))).toBe(3);
  });
});
