import { type Decision } from '../../../core/contracts/checkpoints';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { sourceSchema } from '../../../core/contracts/source';
import { TOPICS } from '../../../core/contracts/topics';
import { silentLogger } from '../../../core/platform/log';
import { type Claim, Claims } from '../../../core/stream/ownership/claims';
import { MemoryKafka } from '../fleet/memory-kafka';

const TOPIC = TOPICS.stream.name;
const TOPICS_OF_CLAIMS = [
  TOPICS.stream,
  TOPICS.checkpoints,
  TOPICS.analysis,
  TOPICS.evaluations,
  TOPICS.rejects,
].map(({ name }) => name);

/** A broker with three events in each partition, sent at 1, 2 and 3 seconds. */
function brokerWith(partitions: number): MemoryKafka {
  const kafka = new MemoryKafka(Object.fromEntries(TOPICS_OF_CLAIMS.map((name) => [name, partitions])));
  for (let partition = 0; partition < partitions; partition += 1)
    sendTo(kafka, partition, [1_000, 2_000, 3_000]);
  return kafka;
}

function sendTo(kafka: MemoryKafka, partition: number, times: readonly number[]): void {
  kafka.append(
    TOPIC,
    times.map((timestampMillis) => ({ key: null, value: 'x', partition, timestampMillis })),
  );
}

function logDecision(kafka: MemoryKafka, decision: Decision): void {
  const { type, partition } = decision;
  kafka.append(TOPICS.checkpoints.name, [{ key: type, partition, value: JSON.stringify(decision) }]);
}

async function claimOf(kafka: MemoryKafka, from: string, partition = 0): Promise<Claim> {
  const source = sourceSchema.parse({ from });
  const claims = await Claims.open({
    kafka,
    producer: await kafka.producer(),
    settings: { ...DEFAULT_STREAM_SETTINGS, source },
    log: silentLogger(),
  });
  return claims.claim(partition);
}

/** Where a new process reads the partition from. */
async function startOf(kafka: MemoryKafka, from: string, partition = 0): Promise<number> {
  return (await claimOf(kafka, from, partition)).start.next;
}

describe('the place from which a new fleet reads a partition', () => {
  it('is its beginning, its end, or the first record of an instant', async () => {
    expect(await startOf(brokerWith(1), 'earliest')).toBe(0);
    expect(await startOf(brokerWith(1), 'latest')).toBe(3);
    expect(await startOf(brokerWith(1), '1970-01-01T00:00:01.5Z')).toBe(1);
    expect(await startOf(brokerWith(1), '1970-01-01T00:01:00Z')).toBe(3);
  });

  it('is decided once: a worker that takes over before anything was read begins there too', async () => {
    const kafka = brokerWith(1);
    await startOf(kafka, 'latest');
    sendTo(kafka, 0, [4_000]);
    expect(await startOf(kafka, 'latest')).toBe(3);
  });

  it('is where a partition ended when the fleet began, for one that is taken over later', async () => {
    const kafka = brokerWith(2);
    await startOf(kafka, 'latest', 0);
    sendTo(kafka, 1, [4_000]);
    expect(await startOf(kafka, 'latest', 1)).toBe(3);
  });

  it('leaves no decision in the log where all of a partition is read, as in logs of earlier releases', async () => {
    const kafka = brokerWith(1);
    await startOf(kafka, 'earliest');
    const keys = kafka.records(TOPICS.checkpoints.name)[0]?.map(({ key }) => key?.toString());
    expect(keys).toEqual([expect.stringMatching(/^claim/)]);
  });
});

describe('events that a topic let go before they were read', () => {
  /** A fleet with two partitions that begins now; the topic then grows to three. */
  async function growing(from: string): Promise<MemoryKafka> {
    const kafka = brokerWith(2);
    for (const partition of [0, 1]) await claimOf(kafka, from, partition);
    logDecision(kafka, { type: 'history', partition: 0, epoch: 0, snapshot: null });
    await kafka.growTopics(TOPICS_OF_CLAIMS, 3);
    sendTo(kafka, 2, [4_000, 5_000]);
    kafka.deleteBefore(TOPIC, 2, 1);
    return kafka;
  }

  it.each(['earliest', 'latest', '1970-01-01T00:00:01.5Z'])(
    'are a loss in a partition that came later, read from %s',
    async (from) => {
      const kafka = await growing(from);
      const { gap, start } = await claimOf(kafka, from, 2);
      expect({ gap, next: start.next }).toEqual({ gap: { kind: 'expired', from: 0, until: 1 }, next: 1 });
    },
  );

  it('are none where they went before the fleet began, whichever partition is read first', async () => {
    const kafka = brokerWith(2);
    kafka.deleteBefore(TOPIC, 1, 2);
    await claimOf(kafka, 'earliest', 0);
    logDecision(kafka, { type: 'history', partition: 0, epoch: 0, snapshot: null });
    const { gap, start } = await claimOf(kafka, 'earliest', 1);
    expect({ gap, next: start.next }).toEqual({ gap: undefined, next: 2 });
  });

  it('are a loss once: what stands in the log of decisions is not lost again', async () => {
    const kafka = await growing('earliest');
    const { epoch } = await claimOf(kafka, 'earliest', 2);
    logDecision(kafka, { type: 'gap', partition: 2, epoch, from: 0, until: 1 });
    expect((await claimOf(kafka, 'earliest', 2)).gap).toBeUndefined();
    sendTo(kafka, 2, [6_000, 7_000]);
    kafka.deleteBefore(TOPIC, 2, 3);
    expect((await claimOf(kafka, 'earliest', 2)).gap).toEqual({ kind: 'expired', from: 1, until: 3 });
  });
});

describe('the log that a partition was read in', () => {
  const logOf = (digit: string, cluster = 'here') => `${cluster}/${digit.repeat(32)}`;

  /** A fleet that has begun to read `first`; the topic then is `now`. */
  async function gapAfter(first: string | undefined, now: string | undefined): Promise<Claim['gap']> {
    const kafka = brokerWith(1);
    if (first !== undefined) kafka.ids.set(TOPIC, first);
    const { epoch } = await claimOf(kafka, 'earliest');
    logDecision(kafka, { type: 'history', partition: 0, epoch, snapshot: null });
    kafka.ids.clear();
    if (now !== undefined) kafka.ids.set(TOPIC, now);
    await claimOf(kafka, 'earliest');
    // Who claims it next knows as much.
    return (await claimOf(kafka, 'earliest')).gap;
  }

  it('is another one when the topic of that name was made anew, for every later owner', async () => {
    expect(await gapAfter(logOf('1'), logOf('2'))).toEqual({ kind: 'replaced', read: 0 });
  });

  it('is the same where nothing says otherwise: no id then or now, or another cluster', async () => {
    expect(await gapAfter(logOf('1'), logOf('1'))).toBeUndefined();
    expect(await gapAfter(undefined, logOf('1'))).toBeUndefined();
    expect(await gapAfter(logOf('1'), undefined)).toBeUndefined();
    expect(await gapAfter(logOf('1'), logOf('2', 'there'))).toBeUndefined();
  });

  it('is not what a forged claim says, where an owner has read the log that is there', async () => {
    const kafka = brokerWith(1);
    kafka.ids.set(TOPIC, logOf('1'));
    const { epoch } = await claimOf(kafka, 'earliest');
    logDecision(kafka, { type: 'history', partition: 0, epoch, snapshot: null });
    forgeClaim(kafka);
    expect((await claimOf(kafka, 'earliest')).gap).toBeUndefined();
  });

  it('is not what a forged claim says that was there before any owner', async () => {
    const kafka = brokerWith(1);
    kafka.ids.set(TOPIC, logOf('1'));
    forgeClaim(kafka);
    const { gap, epoch } = await claimOf(kafka, 'earliest');
    expect(gap).toBeUndefined();
    logDecision(kafka, { type: 'history', partition: 0, epoch, snapshot: null });
    expect((await claimOf(kafka, 'earliest')).gap).toBeUndefined();
  });

  function forgeClaim(kafka: MemoryKafka): void {
    const forged = { type: 'claim', partition: 0, worker: 'ghost', log: logOf('3') };
    kafka.append(TOPICS.checkpoints.name, [
      { key: 'claim/0/ghost/1', partition: 0, value: JSON.stringify(forged) },
    ]);
  }
});
