import { FIRST_VERSION, type VersionId } from '../core/contracts/ids';
import {
  liveCheckSettingsSchema,
  type ChampionCheck,
  type CheckChampionInput,
  type CheckChampionResult,
  type DriftAlarm,
  type LiveCheckSettings,
} from '../core/contracts/live-checks';
import { type Micros } from '../core/contracts/time';
import { parseOrThrow } from '../core/contracts/validation';
import { DriftWatch } from '../core/federation/drift/watch';
import { judgeChampion } from '../core/federation/promotion/live-check';
import { pairedChange, type PairedCluster } from '../core/federation/promotion/cluster-interval';
import { type Deployments } from '../core/model/deployments';
import { releasesWithNoise } from './shared/privacy-ledger';
import { type WarehouseService } from '../core/warehouse/service';

/** Windows that a detector follows between two queries: a fleet of thousands has about a thousand values each. */
const WINDOWS_AT_ONCE = 100;

type Tables = Pick<
  WarehouseService,
  'compare' | 'compareWithPersistence' | 'completeWindows' | 'latestCheck' | 'saveCheck' | 'windowsInService'
>;

/**
 * Compares the champion between rounds with its predecessor in shadow and with persistence, on the same live windows. Its judgements
 * stand in `champion_checks`; the state of the detectors is a function of the tables, and is rebuilt after a restart.
 */
export class ChampionChecks {
  private watched: { readonly version: VersionId; readonly follower: DriftFollower } | undefined;
  private latest: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly tables: Tables,
    private readonly deployments: Pick<
      Deployments,
      'champion' | 'inForce' | 'privacyBookings' | 'settings' | 'sync' | 'versions'
    >,
  ) {}

  /** Checks run one after the other: two at once would feed the same windows to the detectors twice. */
  check(input: CheckChampionInput): Promise<CheckChampionResult> {
    const result = this.latest.then(() => this.judge(input));
    this.latest = result.catch(() => undefined);
    return result;
  }

  private async judge({
    settings: given,
    dealtWith = null,
    refit,
  }: CheckChampionInput): Promise<CheckChampionResult> {
    const settings = parseOrThrow(liveCheckSettingsSchema, given ?? {}, 'the settings of the live check');
    await this.deployments.sync();
    const champion = this.deployments.champion()?.version;
    if (champion === undefined) return { outcome: 'nothing-to-judge', champion: null };
    const windows = await this.tables.windowsInService(champion, settings.windows);
    const from = windows[0];
    const until = windows.at(-1);
    if (from === undefined || until === undefined) return { outcome: 'nothing-to-judge', champion };
    const predecessor = this.predecessor();
    const range = { count: windows.length, from, until };
    const known = await this.tables.latestCheck(champion);
    const check =
      known !== undefined && stillHolds(known, { settings, predecessor, until })
        ? known
        : await this.look({ champion, predecessor, settings, range, known });
    if (check !== known) await this.tables.saveCheck(check);
    // A verdict to roll back is reported until it was carried out; everything else once.
    if (dealtWith !== null && until <= dealtWith && check.verdict.action === 'keep')
      return { outcome: 'no-news', champion };
    const age = refit === undefined ? null : this.ageWhereDue(refit, until);
    return {
      outcome: 'judged',
      check,
      asksForRound: asksForRound(check),
      ...(age !== null && { asksForRefit: age }),
    };
  }

  /** Windows since the readings of the newest version; null while no refit is due or possible. */
  private ageWhereDue(
    { everyWindows, askedAt }: NonNullable<CheckChampionInput['refit']>,
    until: Micros,
  ): number | null {
    const made = this.deployments.versions().flatMap(({ message }) => message.lineage.data_until ?? []);
    const isTrained = made.length > 0 && this.deployments.champion()?.version !== FIRST_VERSION;
    if (!isTrained || releasesWithNoise(this.deployments)) return null;
    const { windowMicros } = this.deployments.settings().task;
    const age = (until - Math.max(...made)) / windowMicros;
    const sinceAsked = askedAt === null ? age : (until - askedAt) / windowMicros;
    return Math.min(age, sinceAsked) >= everyWindows ? age : null;
  }

  private async look({
    champion,
    predecessor,
    settings,
    range,
    known,
  }: {
    readonly champion: VersionId;
    readonly predecessor: VersionId | null;
    readonly settings: LiveCheckSettings;
    readonly range: ChampionCheck['windows'];
    /** The check before this one. */
    readonly known: ChampionCheck | undefined;
  }): Promise<ChampionCheck> {
    const againstPersistence = await this.tables.compareWithPersistence(champion, range);
    const beside =
      predecessor === null
        ? null
        : await this.tables.compare({ ...range, champion: predecessor, candidates: [champion] });
    const againstPredecessor = beside?.candidates[0]?.clusters ?? [];
    const alarms = await this.drift(champion, range.until);
    return {
      champion,
      predecessor,
      settings,
      windows: range,
      accuracy: shareOf(againstPersistence, ({ candidateCorrect }) => candidateCorrect),
      persistenceAccuracy: shareOf(againstPersistence, ({ championCorrect }) => championCorrect),
      predecessorAccuracy: beside?.champion.accuracy ?? null,
      againstPredecessor:
        againstPredecessor.length === 0 ? null : pairedChange(againstPredecessor, settings.confidence),
      againstPersistence: pairedChange(againstPersistence, settings.confidence),
      verdict: judgeChampion({ predecessor, againstPredecessor, againstPersistence }, settings),
      // The same windows under other settings: their alarms are still theirs.
      drift:
        known?.windows.until === range.until
          ? known.drift
          : alarms.filter(({ window }) => known === undefined || window > known.windows.until),
    };
  }

  /** The champion before this one: decide and rollback keep at most one version in shadow. */
  private predecessor(): VersionId | null {
    return this.deployments.inForce().find(({ stage }) => stage.stage === 'shadow')?.version ?? null;
  }

  private async drift(champion: VersionId, until: Micros): Promise<readonly DriftAlarm[]> {
    if (this.watched?.version !== champion)
      this.watched = { version: champion, follower: new DriftFollower(this.tables, champion) };
    return this.watched.follower.followTo(until);
  }
}

/** The detectors of one version, and how far they have followed it: from its first live window, window by window. */
class DriftFollower {
  private readonly watch = new DriftWatch();
  private readonly alarms: DriftAlarm[] = [];
  private next: Micros | null = null;

  constructor(
    private readonly tables: Pick<Tables, 'completeWindows' | 'compareWithPersistence'>,
    private readonly version: VersionId,
  ) {}

  /** @returns every alarm up to and including the window, oldest first. */
  async followTo(until: Micros): Promise<readonly DriftAlarm[]> {
    for (;;) {
      const windows = await this.tables.completeWindows({
        version: this.version,
        from: this.next,
        limit: WINDOWS_AT_ONCE,
      });
      const [first] = windows;
      const last = windows.findLast((window) => window <= until);
      if (first === undefined || last === undefined) return this.alarms;
      const clusters = await this.tables.compareWithPersistence(this.version, { from: first, until: last });
      this.alarms.push(...this.watch.follow(clusters));
      this.next = last + 1;
    }
  }
}

/** Whether an earlier check has the outcome that a new one would have. */
function stillHolds(
  check: ChampionCheck,
  now: {
    readonly settings: LiveCheckSettings;
    readonly predecessor: VersionId | null;
    readonly until: Micros;
  },
): boolean {
  return (
    check.windows.until === now.until &&
    check.predecessor === now.predecessor &&
    JSON.stringify(check.settings) === JSON.stringify(now.settings)
  );
}

function shareOf(clusters: readonly PairedCluster[], correct: (cluster: PairedCluster) => number): number {
  const n = clusters.reduce((sum, cluster) => sum + cluster.n, 0);
  return clusters.reduce((sum, cluster) => sum + correct(cluster), 0) / n;
}

function asksForRound({ champion, drift }: ChampionCheck): string | null {
  const worse = drift.filter(({ change }) => change === 'worse').map(({ detector }) => detector);
  return worse.length === 0
    ? null
    : `${[...new Set(worse)].join(' and ')} found that ${champion} errs more beside persistence than it did`;
}
