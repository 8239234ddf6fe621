import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { sourceSchema } from '../../../core/contracts/source';
import { TOPICS } from '../../../core/contracts/topics';
import { silentLogger } from '../../../core/platform/log';
import { Claims } from '../../../core/stream/ownership/claims';
import { MemoryKafka } from '../fleet/memory-kafka';

const TOPIC = TOPICS.stream.name;

/** A broker with three events in each partition, sent at 1, 2 and 3 seconds. */
function brokerWith(partitions: number): MemoryKafka {
  const topics = [TOPICS.stream, TOPICS.checkpoints, TOPICS.analysis, TOPICS.evaluations, TOPICS.rejects];
  const kafka = new MemoryKafka(Object.fromEntries(topics.map(({ name }) => [name, partitions])));
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

/** Where a new process reads the partition from. */
async function startOf(kafka: MemoryKafka, from: string, partition = 0): Promise<number> {
  const source = sourceSchema.parse({ from });
  const claims = await Claims.open({
    kafka,
    producer: await kafka.producer(),
    settings: { ...DEFAULT_STREAM_SETTINGS, source },
    log: silentLogger(),
  });
  return (await claims.claim(partition)).start.next;
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
