import { type Interval } from '../../core/contracts/rounds';
import { type VersionId } from '../../core/contracts/ids';
import { type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { linearFigures, linearWithout } from './linear';
import { type LinearSums, type RoundRow } from './queries';
import {
  changeOf,
  scoreOf,
  subtractPairs,
  subtractScores,
  withoutDevices,
  type Score,
  type ScoreCluster,
} from './scores';
import {
  type AnomalyCounts,
  type BothFigures,
  type ContributionSummary,
  type PersistenceSummary,
  type Results,
  type RoundSummary,
  type VersionFigures,
} from './summary-schema';

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
  /** The linear models of the rounds beside the elected networks. */
  readonly linear: { readonly all: LinearSums; readonly faulty: LinearSums };
  readonly contribution: ContributionSummary | null;
  readonly anomalies: ReadonlyMap<VersionId, AnomalyCounts>;
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
    linear: linearSummary(evidence.linear),
    contribution: evidence.contribution,
  };
}

function linearSummary({ all, faulty }: Evidence['linear']): Results['linear'] {
  const figures = linearFigures(all);
  return figures === null ? null : { ...figures, healthy: linearFigures(linearWithout(all, faulty)) };
}

function roundSummary(round: RoundRow, evidence: Evidence): RoundSummary {
  return {
    round: round.round,
    version: round.model_version,
    ...bothFigures(round.model_version, evidence),
    championBefore: round.champion,
    decision: round.decision,
    finding: round.finding,
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

function bothFigures(version: VersionId, evidence: Evidence): BothFigures {
  const scores = evidence.scores.get(version) ?? { all: [], faulty: [] };
  const pairs = evidence.pairs.get(version) ?? { all: [], faulty: [] };
  return {
    ...figures(scoreOf(scores.all), changeOf(pairs.all)),
    anomalies: evidence.anomalies.get(version) ?? null,
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
    servedAccuracy: score?.servedAccuracy ?? null,
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
