import { join } from 'node:path';
import { type Environment } from '../contracts/config';
import { FedloopError } from '../contracts/errors';
import { type Feedback } from '../contracts/feedback';
import { type ChampionCheck } from '../contracts/live-checks';
import { type VersionId } from '../contracts/ids';
import { type FederatedRoundResult } from '../contracts/rounds';
import { type StreamSettings } from '../contracts/settings';
import { type BatchResult } from '../contracts/steps';
import { type Micros } from '../contracts/time';
import { ANALYTICS_GROUP_PREFIX, TOPICS } from '../contracts/topics';
import { type WindowRequest } from '../contracts/updates';
import { type Kafka } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Registry, type RouteHandler } from '../platform/metrics';
import { runBatch, type BatchOptions } from './batch/run-batch';
import { latestCheck, saveCheck, windowsInService } from './queries/champion-checks';
import { Changes, type WaitOptions } from './sink/change-signal';
import { Completeness } from './sink/completeness';
import {
  compareVersions,
  compareWithPersistence,
  type ClusterSums,
  type CompareInput,
  type RoundComparison,
} from './queries/comparison';
import { DEVICES_FILE, loadDevices } from './batch/devices';
import { feedbackOfRange } from './feedback/queries';
import { startIntake } from './sink/intake';
import { openWarehouse, type Warehouse } from './database/open';
import { FeedbackPublisher } from './feedback/publisher';
import { Retention } from './retention';
import {
  evidenceOfRounds,
  nextRound,
  pastRounds,
  saveRound,
  scoreboard,
  type Evidence,
  type ScoreboardLine,
} from './queries/rounds';
import { ensureSettings, readTolerance } from './settings';
import { Sink } from './sink/sink';
import { sqlRoute } from './queries/sql-route';
import { addFinishedDays } from './batch/stream-days';
import { registerWarehouseMetrics } from './metrics';
import { activationsOf, evaluatedWindows, type WindowRange } from './queries/windows';

export interface WarehouseServiceOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  /** What holds until `model-deployments` says otherwise. */
  readonly settings: StreamSettings;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface WarehouseStatus {
  readonly path: string;
  readonly groupId: string;
  /** Windows that start before it are complete; null while there are none. */
  readonly completeBefore: Micros | null;
}

export interface WarehouseService {
  readonly warehouse: Warehouse;
  /** `POST /sql`. */
  readonly routes: Readonly<Record<string, RouteHandler>>;
  /** Rejects when the service cannot go on; never resolves. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
  status(): WarehouseStatus;

  /**
   * Wait until every partition of the stream has begun to evaluate the version.
   * @returns the first window that all of them evaluate; null while no partition has read anything.
   */
  waitForActivation(
    version: VersionId,
    options?: WaitOptions,
  ): Promise<{ readonly fromWindow: Micros | null }>;
  /** Ask whoever paces the fleet for windows. The same id asks for the same. */
  requestWindows(request: Omit<WindowRequest, 'type'>): Promise<void>;
  /**
   * Wait until `count` complete windows at or after `fromWindow` have evaluations of the version.
   * @returns them, oldest first; fewer when the time-out came first.
   */
  waitForWindows(
    input: WaitOptions & {
      readonly version: VersionId;
      readonly fromWindow: Micros | null;
      readonly count: number;
      readonly onProgress?: (windows: readonly Micros[]) => void;
    },
  ): Promise<readonly Micros[]>;
  /** Candidates beside the champion on the device-windows that all of them forecast; null where there are none. */
  compare(input: Omit<CompareInput, 'tolerance'>): Promise<RoundComparison | null>;
  /** The version (as candidate) beside persistence (as champion) on its own device-windows. */
  compareWithPersistence(version: VersionId, range: WindowRange): Promise<readonly ClusterSums[]>;
  /** The latest complete windows that a champion was measured on in service, oldest first. */
  windowsInService(version: VersionId, limit: number): Promise<readonly Micros[]>;
  /** Complete windows from `from` on that have evaluations of the version, oldest first, at most `limit`. */
  completeWindows(input: {
    readonly version: VersionId;
    readonly from: Micros | null;
    readonly limit: number;
  }): Promise<readonly Micros[]>;
  latestCheck(version: VersionId): Promise<ChampionCheck | undefined>;
  saveCheck(check: ChampionCheck): Promise<void>;
  /** Feedback over a range of windows; null where the version was not measured. */
  feedbackFor(version: VersionId, range: WindowRange): Promise<Feedback | null>;
  publishRoundFeedback(
    input: WindowRange & { readonly round: number; readonly versions: readonly VersionId[] },
  ): Promise<readonly Feedback[]>;
  saveRound(result: FederatedRoundResult): Promise<void>;
  pastRounds(last?: number): Promise<readonly FederatedRoundResult[]>;
  evidence(lastRounds: number): Promise<readonly Evidence[]>;
  scoreboard(): Promise<readonly ScoreboardLine[]>;
  nextRound(): Promise<number>;
  /** Files of a folder (of the deployment's when left out) and finished days of the stream. */
  runBatch(directory?: string, options?: BatchOptions): Promise<BatchResult>;
}

/**
 * The analytics worker's room: owns the DuckDB file, follows the topics into it, says feedback after each complete window,
 * and answers the questions of rounds.
 * @throws FedloopError `WarehouseBusy` when another process owns the file.
 */
export async function startWarehouseService(options: WarehouseServiceOptions): Promise<WarehouseService> {
  const { kafka, env, log, registry } = options;
  const warehouse = await openWarehouse(env.FEDLOOP_WAREHOUSE);
  // One connection a concern: a long question must not keep rows from going in.
  const [sinking, asking, watching, speaking, counting] = await Promise.all(
    Array.from({ length: 5 }, () => warehouse.connect()),
  );
  if (
    sinking === undefined ||
    asking === undefined ||
    watching === undefined ||
    speaking === undefined ||
    counting === undefined
  ) {
    throw new FedloopError('Internal', 'the warehouse gave no connections');
  }
  await ensureSettings(sinking, options.settings);
  await loadDevices(counting, join(env.FEDLOOP_PROCESSED, DEVICES_FILE));
  const partitions = (await kafka.offsets(TOPICS.stream.name)).length;
  const producer = await kafka.producer();
  const metrics = registerWarehouseMetrics(registry, watching, warehouse.path);
  const sink = await Sink.open(sinking);
  const changes = new Changes();
  const publisher = new FeedbackPublisher(producer, speaking, () => readTolerance(speaking));
  const completeness = new Completeness(sink, kafka, partitions, () => {
    speaker.wake();
    changes.announce();
  });
  const speaker = new WindowSpeaker(
    publisher,
    () => completeness.before(),
    new Retention(counting, env.FEDLOOP_RETENTION),
    log,
    changes,
  );
  const groupId = ANALYTICS_GROUP_PREFIX + warehouse.id;
  // Windows that were complete before a crash and not spoken of.
  speaker.wake();

  const intake = await startIntake({
    kafka,
    sink,
    groupId,
    log,
    onStored(report, seconds) {
      metrics.stored(report, seconds, Date.now());
      if (report.invalid.count > 0)
        log.error({ ...report.invalid }, 'passed over messages that cannot be understood');
      if (report.blocks.gaps > 0)
        log.error({ gaps: report.blocks.gaps }, 'blocks of results are missing before stored ones');
      if (report.deploymentsChanged) speaker.noteDeployments();
      speaker.wake();
      changes.announce();
    },
  });

  return {
    warehouse,
    routes: { '/sql': sqlRoute(warehouse) },
    failed: intake.failed,
    async stop() {
      completeness.close();
      await intake.stop();
      await speaker.stop();
      await producer.disconnect();
      await warehouse.close();
    },
    status: () => {
      const before = sink.evaluationsCompleteBefore();
      return { path: warehouse.path, groupId, completeBefore: Number.isFinite(before) ? before : null };
    },

    async waitForActivation(version, wait = {}) {
      const found = await changes.until(async () => {
        const activations = await activationsOf(asking, version);
        if (activations.length < partitions) return undefined;
        const starts = activations.flatMap(({ fromWindow }) => (fromWindow === null ? [] : [fromWindow]));
        return { fromWindow: starts.length === 0 ? null : Math.max(...starts) };
      }, wait);
      if (found === undefined) {
        throw new FedloopError('TooFewWindows', `the stream workers did not begin to evaluate ${version}`, {
          hint: 'Check that a stream worker runs for every partition.',
        });
      }
      return found;
    },
    async requestWindows(request) {
      const message: WindowRequest = { type: 'window-request', ...request };
      await producer.send(TOPICS.windowRequests.name, [{ key: request.id, value: JSON.stringify(message) }]);
    },
    async waitForWindows({ version, fromWindow, count, onProgress, ...wait }) {
      let known: { readonly before: Micros; readonly windows: readonly Micros[] } | undefined;
      // What is complete does not change: the tables are asked again only when more is, and not after every batch of rows.
      const look = async (): Promise<readonly Micros[]> => {
        const before = await completeness.before();
        if (known?.before === before) return known.windows;
        const windows = await evaluatedWindows(asking, { version, from: fromWindow, before, limit: count });
        if (windows.length > (known?.windows.length ?? -1)) onProgress?.(windows);
        known = { before, windows };
        return windows;
      };
      const found = await changes.until(async () => {
        const windows = await look();
        return windows.length >= count ? windows : undefined;
      }, wait);
      return found ?? look();
    },
    compare: async (input) => compareVersions(asking, { ...input, tolerance: await readTolerance(asking) }),
    compareWithPersistence: async (version, range) =>
      compareWithPersistence(asking, { ...range, version, tolerance: await readTolerance(asking) }),
    windowsInService: async (version, limit) =>
      windowsInService(asking, { version, limit, before: await completeness.before() }),
    completeWindows: async (input) =>
      evaluatedWindows(asking, { ...input, before: await completeness.before() }),
    latestCheck: (version) => latestCheck(asking, version),
    saveCheck: (check) => saveCheck(asking, check),
    async feedbackFor(version, range) {
      const tolerance = await readTolerance(asking);
      const said = await feedbackOfRange(asking, {
        ...range,
        scope: 'round',
        round: null,
        tolerance,
        versions: [version],
      });
      return said[0] ?? null;
    },
    publishRoundFeedback: (input) => publisher.publishRound(input),
    saveRound: (result) => saveRound(asking, result),
    pastRounds: (last) => pastRounds(asking, last),
    evidence: (lastRounds) => evidenceOfRounds(asking, lastRounds),
    scoreboard: () => scoreboard(asking),
    nextRound: () => nextRound(asking),
    async runBatch(directory, batch) {
      await addFinishedDays(counting, await completeness.before());
      return runBatch(counting, directory ?? env.FEDLOOP_PROCESSED, batch);
    },
  };
}

/** Publishes feedback on complete windows, one run at a time, and once more when it was woken in the meantime. */
class WindowSpeaker {
  private woken = false;
  /** Windows before it were spoken of; the tables need not be asked again until it has moved. */
  private spokenBefore: Micros = NaN;
  private rollbacksPossible = true;
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly publisher: FeedbackPublisher,
    private readonly completeBefore: () => Promise<Micros>,
    private readonly retention: Retention,
    private readonly log: Logger,
    private readonly changes: Changes,
  ) {}

  wake(): void {
    this.woken = true;
    if (!this.stopped) this.running ??= this.speak();
  }

  /** Versions, stages or activations have come: a rollback may be among them. */
  noteDeployments(): void {
    this.rollbacksPossible = true;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async speakOfWindows(before: Micros): Promise<void> {
    const windows = await this.publisher.publishWindows(before);
    if (windows.length > 0) this.changes.announce();
    await this.retention.keepUp(before);
    this.spokenBefore = before;
  }

  private async speak(): Promise<void> {
    try {
      while (this.woken && !this.stopped) {
        this.woken = false;
        const before = await this.completeBefore();
        if (before !== this.spokenBefore) await this.speakOfWindows(before);
        if (this.rollbacksPossible) {
          this.rollbacksPossible = false;
          await this.publisher.publishRollbacks().catch((cause: unknown) => {
            this.rollbacksPossible = true;
            throw cause;
          });
        }
      }
    } catch (cause) {
      // The next rows wake it again, and it says these windows too.
      this.log.error({ err: cause }, 'feedback on complete windows could not be published');
    } finally {
      this.running = undefined;
    }
  }
}
