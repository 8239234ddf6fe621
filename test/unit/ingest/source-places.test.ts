import { type Source } from '../../../core/contracts/source';
import { ingestMemoryLogKey } from '../../../core/contracts/ingest-memory';
import { foreignTopic, TOPICS } from '../../../core/contracts/topics';
import { SourceMemory } from '../../../core/ingest/source-memory';
import { type SourcePlace, SourcePlaces } from '../../../core/ingest/source-places';
import { silentLogger } from '../../../core/platform/log';
import { MemoryKafka } from '../fleet/memory-kafka';

const FIRST = `a-cluster/${'1'.repeat(32)}`;
const SECOND = `a-cluster/${'2'.repeat(32)}`;
const ELSEWHERE = `another/${'2'.repeat(32)}`;
const TOPIC = 'plant';
const NAME = foreignTopic(TOPIC);

let kafka: MemoryKafka;
beforeEach(() => {
  kafka = new MemoryKafka({ [TOPICS.ingestMemory.name]: 1, [NAME]: 2 });
  kafka.ids.set(NAME, FIRST);
});

/** Places as a worker has them that was just started. */
async function start(from: Source['from'] = 'earliest'): Promise<SourcePlaces> {
  const log = silentLogger();
  const memory = await SourceMemory.open(kafka, await kafka.producer(), log);
  const places = new SourcePlaces({ kafka, topic: TOPIC, from, memory, log });
  await places.prepare();
  return places;
}

async function placeOf(places: SourcePlaces, partition: number): Promise<SourcePlace | undefined> {
  return (await places.assigned([partition])).byPartition.get(partition);
}

describe('where a source is read from', () => {
  it('is its first record for a fleet that has read nothing, whatever was let go before', async () => {
    kafka.deleteBefore(NAME, 0, 7);
    expect(await placeOf(await start(), 0)).toEqual({
      begins: 7,
      committed: undefined,
      low: 7,
      isNewLog: false,
    });
  });

  it('is what the group has committed, in the log that it was committed for', async () => {
    await start();
    kafka.places = [{ partition: 0, offset: 5 }];
    kafka.deleteBefore(NAME, 0, 7);
    expect(await placeOf(await start(), 0)).toEqual({ begins: 5, committed: 5, low: 7, isNewLog: false });
  });

  it('is the very beginning of a log that has taken the name of another, also of what it has let go', async () => {
    await start();
    kafka.ids.set(NAME, SECOND);
    kafka.places = [{ partition: 0, offset: 5 }];
    kafka.deleteBefore(NAME, 0, 3);
    expect(await placeOf(await start(), 0)).toEqual({
      begins: 0,
      committed: undefined,
      low: 3,
      isNewLog: true,
    });
  });

  it('is the very beginning until the new log’s place is remembered, partition by partition', async () => {
    await start();
    kafka.ids.set(NAME, SECOND);
    const places = await start();
    places.enter((await places.assigned([0])).logId);
    await places.keep([{ partition: 0, offset: 5 }], false);
    kafka.places = [0, 1].map((partition) => ({ partition, offset: 5 }));
    const again = await start();
    expect(await placeOf(again, 0)).toMatchObject({ begins: 5, isNewLog: false });
    expect(await placeOf(again, 1)).toMatchObject({ begins: 0, isNewLog: true });
  });

  it('is the place that was written down last, where the brokers have forgotten that of the group', async () => {
    const places = await start();
    places.enter((await places.assigned([0])).logId);
    await places.keep([{ partition: 0, offset: 5 }], false);
    await places.keep([{ partition: 0, offset: 6 }], false);
    await places.keep([{ partition: 0, offset: 9 }], true);
    kafka.deleteBefore(NAME, 0, 12);
    expect(await placeOf(await start(), 0)).toEqual({
      begins: 9,
      committed: undefined,
      low: 12,
      isNewLog: false,
    });
  });

  it.each([
    ['ahead of what was written down, skips what lies between', { offset: 9 }, { from: 5, until: 9 }],
    ['behind it, skips nothing', { offset: 3 }, undefined],
    ['behind the end of the log, is none', { offset: 13 }, undefined],
    ['ahead of it by a worker of ours, skips nothing', { offset: 9, isOurs: true }, undefined],
  ])('that another program has set %s', async (_, set, skipped) => {
    const places = await start();
    places.enter((await places.assigned([0])).logId);
    await places.keep([{ partition: 0, offset: 5 }], true);
    kafka.append(
      NAME,
      Array.from({ length: 12 }, () => ({ key: null, value: '{}', partition: 0 })),
    );
    kafka.places = [{ partition: 0, isOurs: false, ...set }];
    expect(await placeOf(await start(), 0)).toEqual({
      ...{ begins: set.offset, committed: set.offset, low: 0, isNewLog: false },
      ...(skipped && { skipped: { kind: 'expired', ...skipped } }),
    });
  });

  it('skips nothing that a worker may have read that left no notes', async () => {
    await start();
    const key = ingestMemoryLogKey(TOPIC, 0);
    kafka.append(TOPICS.ingestMemory.name, [
      { key, value: JSON.stringify({ log_id: FIRST, offset: 5 }), partition: 0 },
    ]);
    kafka.append(
      NAME,
      Array.from({ length: 12 }, () => ({ key: null, value: '{}', partition: 0 })),
    );
    kafka.places = [{ partition: 0, offset: 9, isOurs: false }];
    expect((await placeOf(await start(), 0))?.skipped).toBeUndefined();
  });

  it('is the very beginning of a partition that the topic got later', async () => {
    await start();
    await kafka.growTopics([NAME], 3);
    kafka.deleteBefore(NAME, 2, 4);
    expect(await placeOf(await start(), 2)).toEqual({
      begins: 0,
      committed: undefined,
      low: 4,
      isNewLog: false,
    });
  });

  it('goes by what is committed alone where the broker tells no ids, before or now', async () => {
    kafka.ids.delete(NAME);
    await start();
    kafka.places = [{ partition: 0, offset: 5 }];
    expect(await placeOf(await start(), 0)).toMatchObject({ begins: 5, isNewLog: false });
    kafka.ids.set(NAME, FIRST);
    expect(await placeOf(await start(), 0)).toMatchObject({ begins: 5, isNewLog: false });
  });
});

describe('a source that begins at its end', () => {
  it('begins there once: a log of that name that comes later is read whole', async () => {
    await start('latest');
    expect(kafka.begun).toEqual(['latest']);
    kafka.ids.set(NAME, SECOND);
    await start('latest');
    expect(kafka.begun).toEqual(['latest']);
  });
});

it('a log is replaced when the name has another id, and only then', async () => {
  const places = await start();
  expect(await places.isReplaced()).toBe(false);
  places.enter((await places.assigned([0])).logId);
  expect(await places.isReplaced()).toBe(false);
  kafka.ids.delete(NAME);
  expect(await places.isReplaced()).toBe(false);
  kafka.ids.set(NAME, ELSEWHERE);
  expect(await places.isReplaced()).toBe(false);
  kafka.ids.set(NAME, SECOND);
  expect(await places.isReplaced()).toBe(true);
});
