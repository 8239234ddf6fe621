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

export interface IntakeOptions {
  readonly kafka: Kafka;
  readonly sink: Sink;
  readonly groupId: string;
  readonly log: Logger;
  /** After every transaction. */
  readonly onStored: (report: SinkReport, seconds: number) => void;
}

/**
 * Follows the topics into the sink. Kafka's offsets are committed after DuckDB's transaction and only tell others how far
 * we are: where to go on stands in the tables.
 */
export class Intake {
  /** Rejects when the intake cannot go on; never resolves. */
  readonly failed: Promise<never>;
  private fail: (cause: Error) => void = () => undefined;
  private readonly commits: GroupCommit;
  private consumer: GroupConsumer | undefined;
  private failures = 0;
  /** Offsets that the group has not been told. */
  private readonly uncommitted = new Map<string, Parameters<GroupConsumer['commit']>[0][number]>();
  private timer: NodeJS.Timeout | undefined;

  private constructor(private readonly options: IntakeOptions) {
    this.failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    // The service watches `failed`; until then a failure must not count as unhandled.
    this.failed.catch(() => undefined);
    this.commits = new GroupCommit(async (batches) => {
      const started = performance.now();
      const report = await options.sink.store(batches);
      options.onStored(report, (performance.now() - started) / 1_000);
      return report;
    });
  }

  static async start(options: IntakeOptions): Promise<Intake> {
    const intake = new Intake(options);
    await options.kafka.consume({
      groupId: options.groupId,
      topics: INTAKE_TOPICS.map(({ name }) => name),
      concurrency: INTAKE_CONCURRENCY,
      onAssigned: (assignment, consumer) => {
        intake.consumer = consumer;
        // The group may be ahead of the file, which was restored or made anew, or behind it: the file decides.
        for (const [topic, partitions] of assignment) {
          for (const partition of partitions)
            consumer.seek(topic, partition, options.sink.nextOffset(topic, partition));
        }
      },
      onFailure: intake.fail,
      onBatch: (batch) => intake.take(batch),
    });
    return intake;
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    await this.commitOffsets();
    await this.consumer?.stop();
    await this.commits.idle();
  }

  private async take(batch: RawBatch): Promise<void> {
    const { topic, partition, records } = batch;
    const last = records.at(-1);
    if (last === undefined) return;
    try {
      await this.commits.submit(toSinkRecords(batch));
      this.failures = 0;
    } catch (cause) {
      this.failures += 1;
      if (this.failures >= MAX_FAILURES && cause instanceof Error) this.fail(cause);
      this.options.log.error(
        { err: cause, topic, partition },
        'a batch was not stored and will be tried again',
      );
      throw cause;
    }
    if (!batch.isCurrent()) return;
    batch.resolve(last.offset);
    this.uncommitted.set(`${partition}/${topic}`, { topic, partition, offset: Number(last.offset) + 1 });
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.commitOffsets();
    }, OFFSET_COMMIT_INTERVAL_MS).unref();
  }

  /**
   * The file knows how far it is; the group's offset only tells others about lag. A group that has taken this member for dead, as
   * after a pause of the whole machine, refuses it: the next heartbeat joins again.
   */
  private async commitOffsets(): Promise<void> {
    const positions = [...this.uncommitted.values()];
    this.uncommitted.clear();
    if (positions.length === 0) return;
    await this.consumer?.commit(positions).catch((cause: unknown) => {
      this.options.log.debug({ err: cause }, 'the group offset was not committed');
    });
  }
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
