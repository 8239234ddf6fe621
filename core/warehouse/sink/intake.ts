import { setTimeout as sleep } from 'node:timers/promises';
import { FedloopError, messageOf } from '../../contracts/errors';
import { machineSentence } from '../../contracts/machine-trouble';
import { TOPICS } from '../../contracts/topics';
import { type GroupConsumer, type Kafka, type RawBatch } from '../../platform/kafka';
import { gapSentence, logGap } from '../../platform/kafka/log-gap';
import { LogStartWatch } from '../../platform/kafka/log-start-watch';
import { toIncoming } from '../../platform/kafka/records';
import { type Logger } from '../../platform/log';
import { damagedError, isDamage, passesBy } from '../database/trouble';
import { INTAKE_CONCURRENCY, MACHINE_RETRY_MS, OFFSET_COMMIT_INTERVAL_MS } from '../limits';
import { GroupCommit } from './group-commit';
import { positionKey } from './positions';
import { type SinkRecords } from './records';
import { ReplacedLogs, STORED_ANEW } from './replaced-logs';
import { type SinkReport } from './report';
import { type Sink } from './sink';

/** Topics that the warehouse stores. */
const INTAKE_TOPICS = [
  TOPICS.analysis,
  TOPICS.evaluations,
  TOPICS.rejects,
  TOPICS.ingestRejects,
  TOPICS.checkpoints,
  TOPICS.deployments,
  TOPICS.updates,
] as const;

/** Another attempt does not help against a broken database: after so many of its failures in a row the intake fails. */
const MAX_FAILURES = 5;

type Assignment = ReadonlyMap<string, readonly number[]>;

interface IntakeOptions {
  readonly kafka: Kafka;
  readonly sink: Sink;
  readonly groupId: string;
  readonly log: Logger;
  /** The warehouse's file, for messages. */
  readonly file: string;
  /** After every transaction. */
  readonly onStored: (report: SinkReport, seconds: number) => void;
}

/**
 * Stores the topics through the sink. Kafka's offsets are committed after DuckDB's transaction and only show others the lag:
 * the tables hold where to continue.
 */
export class Intake {
  /** Rejects when the intake cannot continue; never resolves. */
  readonly failed: Promise<never>;
  private fail: (cause: Error) => void = () => undefined;
  private readonly commits: GroupCommit;
  private consumer: GroupConsumer | undefined;
  private failures = 0;
  /** What the machine lacks; rows wait in their topics for as long. */
  private lacking: string | undefined;
  /** Why some partitions are another member's. */
  private sharing: string | undefined;
  private assignment: Assignment | undefined;
  /** Offsets to commit, by partition. */
  private readonly uncommitted = new Map<string, Parameters<GroupConsumer['commit']>[0][number]>();
  private timer: NodeJS.Timeout | undefined;
  /** Partitions with records that are being stored. */
  private readonly busy = new Set<string>();
  private readonly logStarts: LogStartWatch;
  private readonly logs: ReplacedLogs;

  private constructor(private readonly options: IntakeOptions) {
    this.failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    // The service watches `failed`; until then a failure must not count as unhandled.
    this.failed.catch(() => undefined);
    this.commits = new GroupCommit(async (batches) => {
      const started = performance.now();
      const report = await options.sink.store(batches);
      for (const { topic, partition, from, until } of report.lost) {
        const gap = { kind: 'expired', from, until } as const;
        options.log.error({ topic, partition }, gapSentence(topic, partition, gap, STORED_ANEW));
      }
      options.onStored(report, (performance.now() - started) / 1_000);
      return report;
    });
    this.logStarts = new LogStartWatch({
      kafka: options.kafka,
      log: options.log,
      assignment: () => this.assignment ?? new Map(),
      nextOffset: (topic, partition) => options.sink.nextOffset(topic, partition),
      isBusy: (topic, partition) =>
        this.lacking !== undefined || this.busy.has(positionKey({ topic, partition })),
      onExpired: (topic, partition, start) => this.noteExpired(topic, partition, start),
    });
    this.logs = new ReplacedLogs({
      ...options,
      topics: INTAKE_TOPICS.map(({ name }) => name),
      isBusy: (topic) =>
        this.partitionsOf(topic).some((partition) => this.busy.has(positionKey({ topic, partition }))),
      readAnew: (topic) => {
        for (const partition of this.partitionsOf(topic)) this.consumer?.seek(topic, partition, 0);
      },
    });
  }

  static async start(options: IntakeOptions): Promise<Intake> {
    const intake = new Intake(options);
    await options.kafka.consume({
      groupId: options.groupId,
      topics: INTAKE_TOPICS.map(({ name }) => name),
      concurrency: INTAKE_CONCURRENCY,
      onAssigned: async (assignment, consumer) => {
        intake.consumer = consumer;
        // What is not known now is known by a later look.
        await intake.logs.enter([...assignment.keys()]).catch((err: unknown) => {
          options.log.debug({ err }, 'which logs these are is not known for now: the broker does not say');
        });
        // The group may be ahead of the file (which was restored or made anew) or behind it: the file decides.
        for (const [topic, partitions] of assignment) {
          for (const partition of partitions)
            consumer.seek(topic, partition, options.sink.nextOffset(topic, partition));
        }
        void intake.noteSharing(assignment);
        intake.logStarts.start();
        intake.logs.start();
      },
      onFailure: intake.fail,
      onBatch: (batch) => intake.ingest(batch),
    });
    return intake;
  }

  async stop(): Promise<void> {
    this.logStarts.close();
    this.logs.close();
    clearTimeout(this.timer);
    await this.commitOffsets();
    await this.consumer?.stop();
    await this.commits.idle();
  }

  private partitionsOf(topic: string): readonly number[] {
    return this.assignment?.get(topic) ?? [];
  }

  /** Why rows cannot be stored now, all or some, and what to do; undefined while all is well. */
  get trouble(): string | undefined {
    return this.lacking ?? this.sharing;
  }

  /** The group is this file's alone: with another member in it, rows of the other's partitions would be missing here without a word. */
  private async noteSharing(assignment: Assignment): Promise<void> {
    const { kafka, groupId, log } = this.options;
    this.assignment = assignment;
    const counts = await Promise.all(
      INTAKE_TOPICS.map(async ({ name }) => {
        const all = await kafka.offsets(name);
        return { all: all.length, own: assignment.get(name)?.length ?? 0 };
      }),
    ).catch((err: unknown) => {
      log.debug({ err }, 'whether this warehouse has all partitions is not known: the broker does not say');
    });
    if (counts === undefined || this.assignment !== assignment) return;
    const missing = counts.reduce((sum, { all, own }) => sum + Math.max(0, all - own), 0);
    const before = this.sharing;
    this.sharing = missing === 0 ? undefined : sharingSentence(groupId, missing);
    if (this.sharing !== undefined) log.error(this.sharing);
    else if (before !== undefined) log.info('this warehouse has all partitions again');
  }

  private async ingest(batch: RawBatch): Promise<void> {
    // What is not resolved comes again, from where the consumer is then told to read.
    if (this.logs.isEntering(batch.topic)) return;
    const key = positionKey(batch);
    this.busy.add(key);
    try {
      await this.storeBatch(batch);
    } finally {
      this.busy.delete(key);
    }
  }

  private async storeBatch(batch: RawBatch): Promise<void> {
    const { topic, partition, next } = batch;
    await this.noteReplaced(batch);
    const records = toSinkRecords(batch);
    while (!(await this.stored(records))) {
      await sleep(MACHINE_RETRY_MS);
      // Keeps the membership: the batch is stored as soon as the machine lets it.
      await batch.heartbeat();
      if (!batch.isCurrent()) return;
    }
    if (!batch.isCurrent()) return;
    batch.resolve(next);
    this.commitLater(topic, partition, next);
  }

  private commitLater(topic: string, partition: number, offset: number): void {
    this.uncommitted.set(positionKey({ topic, partition }), { topic, partition, offset });
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.commitOffsets();
    }, OFFSET_COMMIT_INTERVAL_MS).unref();
  }

  /** A log that is another one is stored from its beginning. What a log no longer has the sink notes with the batch. */
  private async noteReplaced(batch: RawBatch): Promise<void> {
    const { topic, partition } = batch;
    const { sink, log } = this.options;
    const gap = logGap(sink.nextOffset(topic, partition), batch);
    if (gap?.kind !== 'replaced') return;
    log.error({ topic, partition }, gapSentence(topic, partition, gap, STORED_ANEW));
    await sink.beginAnew(topic, partition);
  }

  /** What could not be noted now is noted after a later look. */
  private async noteExpired(topic: string, partition: number, begins: number): Promise<void> {
    const isNoted = await this.stored({ topic, partition, records: [], begins }).catch(() => false);
    if (isNoted) this.commitLater(topic, partition, begins);
  }

  /**
   * @returns false when the machine has no room for it now, which is said once.
   * @throws what else the sink throws; the library delivers the batch again.
   */
  private async stored(batch: SinkRecords): Promise<boolean> {
    const { log, file } = this.options;
    try {
      await this.commits.submit(batch);
    } catch (err) {
      const said = passesBy(err) ? machineSentence(err, file) : undefined;
      if (said === undefined) {
        this.noteFailure(err, batch);
        throw err;
      }
      const sentence = `${said.message}, so rows wait in their topics. ${said.hint}`;
      if (this.lacking !== sentence) log.error(sentence);
      this.lacking = sentence;
      return false;
    }
    if (this.lacking !== undefined) log.info('rows are stored again');
    this.lacking = undefined;
    this.failures = 0;
    return true;
  }

  private noteFailure(thrown: unknown, { topic, partition }: SinkRecords): void {
    const { log, file } = this.options;
    const err = isDamage(messageOf(thrown)) ? damagedError(file, messageOf(thrown), thrown) : thrown;
    // The brokers, which are asked what stands behind results, come back by themselves.
    if (err instanceof FedloopError && err.code === 'WarehouseFailed') this.failures += 1;
    if (this.failures >= MAX_FAILURES && err instanceof Error) this.fail(err);
    log.error({ err, topic, partition }, 'a batch was not stored and will be tried again');
  }

  /** A group that considers this member dead, as after a pause of the whole machine, refuses: the next heartbeat joins again. */
  private async commitOffsets(): Promise<void> {
    const positions = [...this.uncommitted.values()];
    this.uncommitted.clear();
    if (positions.length === 0) return;
    await this.consumer?.commit(positions).catch((err: unknown) => {
      this.options.log.debug({ err }, 'the group offset was not committed');
    });
  }
}

function sharingSentence(groupId: string, missing: number): string {
  return (
    `another program is in the consumer group ${groupId}, which is this warehouse’s alone, and has ${missing} partitions of its topics: their rows are missing here. ` +
    'Stop that program; a second warehouse needs a file of its own.'
  );
}

function toSinkRecords({ topic, partition, records, from, next }: RawBatch): SinkRecords {
  return {
    topic,
    partition,
    begins: from,
    ends: next,
    records: records.map((raw) => {
      const record = toIncoming(partition, raw);
      return { ...record, key: record.key?.toString('utf8') ?? null };
    }),
  };
}
