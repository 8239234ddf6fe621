import { type Interval, type Decision } from '../../core/contracts/rounds';
import { type VersionId } from '../../core/contracts/ids';
import { type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { type RoundRow } from './queries';
import {
  changeOf,
  scoreOf,
  subtractPairs,
  subtractScores,
  withoutDevices,
  type Score,
  type ScoreCluster,
} from './scores';

/** Sums over all devices, and over the faulty ones. */
export interface WithFaulty<Cluster> {
  readonly all: readonly Cluster[];
  readonly faulty: readonly Cluster[];
}

/** Answers of the tables. */
export interface Evidence {
  readonly rounds: readonly RoundRow[];
  /** By version, the first champion included. */
  readonly scores: ReadonlyMap<VersionId, WithFaulty<ScoreCluster>>;
  /** By candidate: beside the champion before it. */
  readonly pairs: ReadonlyMap<VersionId, WithFaulty<PairedCluster>>;
  readonly persistence: WithFaulty<ScoreCluster>;
}

/** A version's figures over one set of devices; null where nothing was measured. */
export interface VersionFigures {
  readonly accuracy: number | null;
  readonly accuracyCi95: readonly [number, number] | null;
  /** Change from the champion before it, on the device-windows that both forecast. */
  readonly pairedChange: number | null;
  readonly pairedChangeCi95: readonly [number, number] | null;
  readonly bias: number | null;
  readonly mae: number | null;
  readonly skill: number | null;
  readonly persistenceAccuracy: number | null;
  readonly evaluations: number;
  readonly windows: number;
}

export interface RoundSummary extends VersionFigures {
  readonly round: number;
  readonly version: VersionId;
  readonly championBefore: VersionId;
  readonly decision: Decision;
  readonly reason: string;
  readonly strategy: string;
  readonly role: string | null;
  /** Mean accuracy that the local models reported of themselves, and their mean accuracy on hold-out devices. */
  readonly selfReportedAccuracy: number | null;
  readonly localRealAccuracy: number | null;
  readonly updates: { readonly trained: number; readonly used: number };
  /** Figures behind the decision: over the windows of the round alone. */
  readonly judged: {
    readonly windows: number;
    readonly evaluations: number;
    readonly accuracy: number;
    readonly championAccuracy: number;
    readonly pairedChange: number;
    readonly pairedChangeCi95: readonly [number, number];
  };
  readonly healthy: VersionFigures;
}

export interface PersistenceSummary {
  readonly accuracy: number | null;
  readonly accuracyCi95: readonly [number, number] | null;
  readonly evaluations: number;
  readonly mae: number | null;
}

export interface Results {
  readonly rounds: readonly RoundSummary[];
  /** The champion that the first round was measured against; null without rounds. */
  readonly firstVersion:
    (VersionFigures & { readonly version: VersionId; readonly healthy: VersionFigures }) | null;
  readonly champion: VersionId | null;
  readonly persistence: PersistenceSummary & { readonly healthy: PersistenceSummary };
}

/** The figures of a run. */
export function resultsOf(evidence: Evidence): Results {
  const { rounds, persistence } = evidence;
  const last = rounds.at(-1);
  const first = rounds.at(0)?.champion;
  return {
    rounds: rounds.map((round) => roundSummary(round, evidence)),
    firstVersion: first === undefined ? null : { version: first, ...bothFigures(first, evidence) },
    champion: last === undefined ? null : last.decision === 'promoted' ? last.model_version : last.champion,
    persistence: {
      ...persistenceSummary(persistence.all),
      healthy: persistenceSummary(withoutDevices(persistence.all, persistence.faulty, subtractScores)),
    },
  };
}

function roundSummary(round: RoundRow, evidence: Evidence): RoundSummary {
  return {
    round: round.round,
    version: round.model_version,
    ...bothFigures(round.model_version, evidence),
    championBefore: round.champion,
    decision: round.decision,
    reason: round.reason,
    strategy: round.strategy,
    role: round.role,
    selfReportedAccuracy: round.self_reported_accuracy,
    localRealAccuracy: round.local_real_accuracy,
    updates: { trained: round.updates_trained, used: round.updates_used },
    judged: {
      windows: round.windows,
      evaluations: round.evaluations,
      accuracy: round.accuracy,
      championAccuracy: round.champion_accuracy,
      pairedChange: round.paired_change,
      pairedChangeCi95: [round.paired_change_low, round.paired_change_high],
    },
  };
}

function bothFigures(
  version: VersionId,
  evidence: Evidence,
): VersionFigures & { readonly healthy: VersionFigures } {
  const scores = evidence.scores.get(version) ?? { all: [], faulty: [] };
  const pairs = evidence.pairs.get(version) ?? { all: [], faulty: [] };
  return {
    ...figures(scoreOf(scores.all), changeOf(pairs.all)),
    healthy: figures(
      scoreOf(withoutDevices(scores.all, scores.faulty, subtractScores)),
      changeOf(withoutDevices(pairs.all, pairs.faulty, subtractPairs)),
    ),
  };
}

function figures(score: Score | null, change: Interval | null): VersionFigures {
  return {
    accuracy: score?.accuracy ?? null,
    accuracyCi95: score?.accuracyCi95 ?? null,
    pairedChange: change?.mean ?? null,
    pairedChangeCi95: change === null ? null : [change.low, change.high],
    bias: score?.bias ?? null,
    mae: score?.mae ?? null,
    skill: score?.skill ?? null,
    persistenceAccuracy: score?.persistenceAccuracy ?? null,
    evaluations: score?.evaluations ?? 0,
    windows: score?.windows ?? 0,
  };
}

function persistenceSummary(clusters: readonly ScoreCluster[]): PersistenceSummary {
  const score = scoreOf(clusters);
  return {
    accuracy: score?.accuracy ?? null,
    accuracyCi95: score?.accuracyCi95 ?? null,
    evaluations: score?.evaluations ?? 0,
    mae: score?.mae ?? null,
  };
}
