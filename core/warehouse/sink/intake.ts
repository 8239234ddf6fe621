import { TOPICS } from '../../contracts/topics';
import { type GroupConsumer, type Kafka, type RawBatch } from '../../platform/kafka';
import { toIncoming } from '../../platform/kafka/records';
import { type Logger } from '../../platform/log';
import { GroupCommit } from './group-commit';
import { INTAKE_CONCURRENCY, OFFSET_COMMIT_INTERVAL_MS } from '../limits';
import { type SinkRecords } from './records';
import { type Sink, type SinkReport } from './sink';

/** Topics that the warehouse keeps. */
const INTAKE_TOPICS = [
  TOPICS.analysis,
  TOPICS.evaluations,
  TOPICS.rejects,
  TOPICS.checkpoints,
  TOPICS.deployments,
  TOPICS.updates,
] as const;

/** A disk that is full, or a database that has given itself up, is not cured by trying: after so many in a row it is over. */
const MAX_FAILURES = 5;

export interface Intake {
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Follow the topics into the sink. Kafka's offsets are committed after DuckDB's transaction and only tell others how far
 * we are: where to go on stands in the tables.
 */
export async function startIntake(options: {
  readonly kafka: Kafka;
  readonly sink: Sink;
  readonly groupId: string;
  readonly log: Logger;
  /** After every transaction. */
  readonly onStored: (report: SinkReport, seconds: number) => void;
}): Promise<Intake> {
  const { kafka, sink, groupId, log, onStored } = options;
  let fail: (cause: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever starts the service watches `failed`; until then a failure must not count as unhandled.
  failed.catch(() => undefined);

  const commits = new GroupCommit(async (batches) => {
    const started = performance.now();
    const report = await sink.store(batches);
    onStored(report, (performance.now() - started) / 1_000);
    return report;
  });
  let own: GroupConsumer | undefined;
  let failures = 0;
  const stored = new Map<
    string,
    { readonly topic: string; readonly partition: number; readonly offset: number }
  >();
  let timer: NodeJS.Timeout | undefined;
  /**
   * The file knows how far it is; the group's offset only tells others about lag. A group that has taken this member for dead, as
   * after a pause of the whole machine, refuses it: the next heartbeat joins again.
   */
  const commitStored = async (): Promise<void> => {
    const positions = [...stored.values()];
    stored.clear();
    if (positions.length === 0) return;
    await own?.commit(positions).catch((cause: unknown) => {
      log.debug({ err: cause }, 'the group offset was not committed');
    });
  };
  const consumer = await kafka.consume({
    groupId,
    topics: INTAKE_TOPICS.map(({ name }) => name),
    concurrency: INTAKE_CONCURRENCY,
    onAssigned(assignment, assigned) {
      own = assigned;
      // The group may be ahead of the file, which was restored or made anew, or behind it: the file decides.
      for (const [topic, partitions] of assignment) {
        for (const partition of partitions)
          assigned.seek(topic, partition, sink.nextOffset(topic, partition));
      }
    },
    onFailure: fail,
    async onBatch(batch) {
      const last = batch.records.at(-1);
      if (last === undefined) return;
      try {
        await commits.submit(toSinkRecords(batch));
        failures = 0;
      } catch (cause) {
        failures += 1;
        if (failures >= MAX_FAILURES && cause instanceof Error) fail(cause);
        log.error(
          { err: cause, topic: batch.topic, partition: batch.partition },
          'a batch was not stored and will be tried again',
        );
        throw cause;
      }
      if (!batch.isCurrent()) return;
      batch.resolve(last.offset);
      stored.set(`${batch.partition}/${batch.topic}`, {
        topic: batch.topic,
        partition: batch.partition,
        offset: Number(last.offset) + 1,
      });
      timer ??= setTimeout(() => {
        timer = undefined;
        void commitStored();
      }, OFFSET_COMMIT_INTERVAL_MS).unref();
    },
  });
  return {
    failed,
    async stop() {
      clearTimeout(timer);
      await commitStored();
      await consumer.stop();
      await commits.idle();
    },
  };
}

function toSinkRecords(batch: RawBatch): SinkRecords {
  return {
    topic: batch.topic,
    partition: batch.partition,
    records: batch.records.map((raw) => {
      const record = toIncoming(batch.partition, raw);
      return { ...record, key: record.key?.toString('utf8') ?? null };
    }),
  };
}
