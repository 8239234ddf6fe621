import { join } from 'node:path';
import { type Environment } from '../contracts/config';
import { FedloopError } from '../contracts/errors';
import { type Feedback } from '../contracts/feedback';
import { type VersionId } from '../contracts/ids';
import { patienceOf } from '../contracts/partition-times';
import { type StreamSettings } from '../contracts/settings';
import { eventTopic, topicsOfSource } from '../contracts/source';
import { type BatchResult } from '../contracts/batch-result';
import { type Micros } from '../contracts/time';
import { ANALYTICS_GROUP_PREFIX, TOPICS } from '../contracts/topics';
import { type WindowRequest } from '../contracts/updates';
import { type Kafka, type Producer } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type RouteHandler } from '../platform/http';
import { type Registry } from '../platform/metrics';
import { DEVICES_FILE, loadDevices } from './batch/devices';
import { runBatch, type BatchOptions } from './batch/run-batch';
import { addFinishedDays } from './batch/stream-days';
import { type SerialConnection } from './database/connection';
import { keepLogs, placeOf } from './database/identity';
import { LogWatch } from './database/log-watch';
import { openWarehouse, type Warehouse } from './database/open';
import { FeedbackPublisher } from './feedback/publisher';
import { WindowFeedback } from './feedback/window-feedback';
import { registerWarehouseMetrics, type SinkCounts } from './metrics';
import { activationsOf, evaluatedWindows, type WindowRange } from './queries/windows';
import { Retention } from './retention';
import { marksRoute } from './queries/marks-route';
import { RoundRepository } from './round-repository';
import { AheadPartitions } from './sink/ahead-partitions';
import { ChangeSignal, type WaitOptions } from './sink/change-signal';
import { Completeness } from './sink/completeness';
import { firstWindowOf } from './sink/first-window';
import { IdlePartitions } from './sink/idle-partitions';
import { storeSettings } from './sink/deployments';
import { Intake } from './sink/intake';
import { LogOrigins, type Origins } from './sink/origins';
import { logFaults } from './sink/report';
import { Sink } from './sink/sink';
import { Readers } from './sql/readers';
import { sqlRoute } from './sql/route';
import { ensureToken } from './sql/token';

/** Said of partitions that an evaluation does not wait for. */
const AHEAD =
  'the times of these partitions are ahead of the others, so the evaluation begins before they take part: look at the clocks of their devices';

interface WarehouseServiceOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly settings: StreamSettings;
  readonly log: Logger;
  readonly registry: Registry;
  /** What stands behind results; left out: the logs of claims and events. */
  readonly origins?: Origins;
}

/**
 * The heart of the analytics worker: owns the DuckDB file, stores the topics in it, publishes feedback after each complete window,
 * and answers the queries of rounds.
 */
export class WarehouseService extends RoundRepository {
  /** `POST /sql`, `GET /marks`. */
  readonly routes: Readonly<Record<string, RouteHandler>>;
  private readonly publisher: FeedbackPublisher;
  private readonly feedback: WindowFeedback;
  private readonly counts: SinkCounts;
  private intake: Intake | undefined;
  private readonly place: string | undefined;
  private readonly logWatch: LogWatch;

  private constructor(
    private readonly options: WarehouseServiceOptions,
    readonly warehouse: Warehouse,
    private readonly connections: Connections,
    private readonly producer: Producer,
    private readonly sink: Sink,
    private readonly questions: { readonly readers: Readers; readonly token: string | undefined },
    partitions: number,
    private readonly origins: Origins,
    ahead: AheadPartitions,
    private readonly changes = new ChangeSignal(),
  ) {
    const { kafka, env, settings, log, registry } = options;
    const topic = eventTopic(settings.source);
    const idle = new IdlePartitions({ kafka, eventTopic: topic, settings, log, ahead, sink });
    const completeness = new Completeness(sink, kafka, topic, partitions, idle, () => {
      this.feedback.wake();
      changes.notify();
    });
    super(connections.queries, completeness, settings.task.target.tolerance);
    this.place = placeOf(warehouse.path);
    const checkpoint = (): Promise<unknown> => connections.sink.run('CHECKPOINT');
    this.logWatch = new LogWatch({ file: warehouse.path, checkpoint, log });
    this.routes = {
      '/sql': sqlRoute(questions.readers, questions.token),
      '/marks': marksRoute(connections.metrics),
    };
    this.counts = registerWarehouseMetrics(registry, connections.metrics, warehouse.path);
    this.publisher = new FeedbackPublisher(producer, connections.feedback, this.tolerance);
    const retention = new Retention(connections.batch, env.FEDLOOP_RETENTION);
    const completeBefore = (): Promise<Micros> => completeness.before();
    this.feedback = new WindowFeedback(this.publisher, completeBefore, log, async (before, isNew) => {
      if (isNew) changes.notify();
      await retention.advance(before);
    });
  }

  /** @throws FedloopError `WarehouseBusy` when another process owns the file, `InvalidConfig` when it was filled from other brokers. */
  static async start(options: WarehouseServiceOptions): Promise<WarehouseService> {
    const warehouse = await openWarehouse(options.env.FEDLOOP_WAREHOUSE);
    try {
      return await WarehouseService.over(warehouse, options);
    } catch (cause) {
      await warehouse.close();
      throw cause;
    }
  }

  private static async over(
    warehouse: Warehouse,
    options: WarehouseServiceOptions,
  ): Promise<WarehouseService> {
    const { kafka, env, settings } = options;
    const connections = await connect(warehouse);
    await keepLogs(connections.sink, warehouse.path, await kafka.identity());
    await connections.sink.transaction((inside) => storeSettings(inside, settings));
    await loadDevices(connections.batch, join(env.FEDLOOP_PROCESSED, DEVICES_FILE));
    const partitions = (await kafka.offsets(eventTopic(settings.source))).length;
    const producer = await kafka.producer();
    const topic = eventTopic(settings.source);
    const origins = options.origins ?? (await LogOrigins.follow(kafka, topic, settings.futureMicros));
    const sink = await Sink.open(connections.sink, settings.task, origins, topicsOfSource(settings.source));
    const questions = {
      readers: await Readers.open(warehouse),
      token: await ensureToken(warehouse.path, env.FEDLOOP_SQL_TOKEN),
    };
    const service = new WarehouseService(
      options,
      warehouse,
      connections,
      producer,
      sink,
      questions,
      partitions,
      origins,
      await AheadPartitions.open(connections.feedback, patienceOf(settings)),
    );
    await service.follow();
    return service;
  }

  /** Rejects when the service cannot continue; never resolves. */
  get failed(): Promise<never> {
    return this.intake?.failed ?? new Promise<never>(() => undefined);
  }

  /** What it waits for outside of itself, and what to do; undefined while all is well. */
  get trouble(): string | undefined {
    return this.intake?.trouble ?? this.fileTrouble ?? this.logWatch.trouble;
  }

  /** Rows of a file that has lost its name are gone with this process. */
  private get fileTrouble(): string | undefined {
    const { path } = this.warehouse;
    return placeOf(path) === this.place
      ? undefined
      : `the file ${path} was removed or replaced while it is open: what is stored now is lost when this worker ends. Stop the system, put the file back, and start it again; without it, rows come back from the topics, records of rounds do not.`;
  }

  async stop(): Promise<void> {
    this.completeness.close();
    await this.logWatch.close();
    await this.intake?.stop();
    await this.origins.close();
    await this.feedback.stop();
    await this.producer.disconnect();
    await this.questions.readers.close();
    await this.warehouse.close();
  }

  /**
   * Wait until every partition of the stream has begun to evaluate the version. While no broker answers, the time-out does not run.
   * @returns the first window that all of them evaluate, but those that are ahead of the others; null while no partition has read anything.
   * @throws FedloopError `TooFewWindows` when the time-out came first.
   */
  async waitForActivation(
    version: VersionId,
    wait: WaitOptions = {},
  ): Promise<{ readonly fromWindow: Micros | null }> {
    const found = await this.changes.waitFor(async () => {
      const activations = await activationsOf(this.connection, version);
      if (activations.length < this.completeness.partitionCount) return undefined;
      return firstWindowOf(activations, patienceOf(this.options.settings));
    }, this.withoutOutages(wait));
    if (found !== undefined) {
      const { ahead: partitions, fromWindow } = found;
      if (partitions.length > 0) this.options.log.warn({ version, partitions }, AHEAD);
      return { fromWindow };
    }
    throw new FedloopError('TooFewWindows', `the stream workers did not begin to evaluate ${version}`, {
      hint: 'Check that a stream worker runs for every partition.',
    });
  }

  /** Request windows from the fleet, where it is paced. The same id stands for the same request. */
  async requestWindows(request: Omit<WindowRequest, 'type'>): Promise<void> {
    const message: WindowRequest = { type: 'window-request', ...request };
    const { name } = TOPICS.windowRequests;
    await this.producer.send(name, [{ key: request.id, value: JSON.stringify(message) }]);
  }

  /**
   * Wait until `count` complete windows at or after `fromWindow` have evaluations of the version. While no broker answers, the time-out does
   * not run.
   * @returns them, oldest first; fewer when the time-out came first.
   */
  async waitForWindows({
    version,
    fromWindow,
    count,
    onProgress,
    ...wait
  }: WaitOptions & {
    readonly version: VersionId;
    readonly fromWindow: Micros | null;
    readonly count: number;
    readonly onProgress?: (windows: readonly Micros[]) => void;
  }): Promise<readonly Micros[]> {
    let known: { readonly before: Micros; readonly windows: readonly Micros[] } | undefined;
    // Complete windows do not change: the tables are queried again only when there are more, not after every batch of rows.
    const current = async (): Promise<readonly Micros[]> => {
      const before = await this.completeness.before();
      if (known?.before === before) return known.windows;
      const query = { version, from: fromWindow, before, limit: count };
      const windows = await evaluatedWindows(this.connection, query);
      if (windows.length > (known?.windows.length ?? -1)) onProgress?.(windows);
      known = { before, windows };
      return windows;
    };
    const found = await this.changes.waitFor(async () => {
      const windows = await current();
      return windows.length >= count ? windows : undefined;
    }, this.withoutOutages(wait));
    return found ?? current();
  }

  publishRoundFeedback(
    input: WindowRange & { readonly round: number; readonly versions: readonly VersionId[] },
  ): Promise<readonly Feedback[]> {
    return this.publisher.publishRound(input);
  }

  /** Files of a folder (of the deployment's when left out) and finished days of the stream. */
  async runBatch(directory?: string, options?: BatchOptions): Promise<BatchResult> {
    await addFinishedDays(this.connections.batch, await this.completeness.before());
    return runBatch(this.connections.batch, directory ?? this.options.env.FEDLOOP_PROCESSED, options);
  }

  private withoutOutages(wait: WaitOptions): WaitOptions {
    return { ...wait, isHeldUp: () => (this.options.kafka.trouble() ?? this.intake?.trouble) !== undefined };
  }

  private async follow(): Promise<void> {
    this.logWatch.start();
    const { kafka, log } = this.options;
    // Windows may have been complete before a crash and have no feedback.
    this.feedback.wake();
    this.intake = await Intake.start({
      kafka,
      sink: this.sink,
      groupId: ANALYTICS_GROUP_PREFIX + this.warehouse.id,
      log,
      file: this.warehouse.path,
      onStored: (report, seconds) => {
        this.counts.stored(report, seconds, Date.now());
        logFaults(report, log);
        if (report.deploymentsChanged) this.feedback.noteDeployments();
        this.feedback.wake();
        this.changes.notify();
      },
    });
  }
}

/** One connection a concern: a slow query must not keep rows from being stored. */
type Connections = Readonly<Record<'sink' | 'queries' | 'metrics' | 'feedback' | 'batch', SerialConnection>>;

async function connect(warehouse: Warehouse): Promise<Connections> {
  return {
    sink: await warehouse.connect(),
    queries: await warehouse.connect(),
    metrics: await warehouse.connect(),
    feedback: await warehouse.connect(),
    batch: await warehouse.connect(),
  };
}
