import { type BacktestResult, type BacktestRound } from '../../core/backtest/types';
import { type EvaluatedRow } from '../../core/backtest/tally';
import { FIRST_VERSION, type VersionId } from '../../core/contracts/ids';
import { type Interval } from '../../core/contracts/rounds';
import { pairedChange, type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { scoreOf, type Score, type ScoreCluster } from '../results/scores';

/** A version's figures over all windows in which it was in force. */
export interface VersionResult {
  readonly version: VersionId;
  /** Null for the first version, which no round made. */
  readonly round: BacktestRound | null;
  readonly score: Score | null;
}

/** A simple forecast beside the versions that served, on the device-windows that both forecast. */
export interface BaselineResult {
  readonly name: 'persistence' | 'seasonal naive' | 'linear';
  readonly evaluations: number;
  readonly accuracy: number;
  readonly mae: number;
  /** Accuracy of the versions that served on the same device-windows, and how far they are ahead. */
  readonly servedAccuracy: number;
  readonly ahead: Interval;
}

export interface BacktestFigures {
  readonly champion: VersionId;
  readonly versions: readonly VersionResult[];
  /** Whichever version served; null where nothing was forecast. */
  readonly served: Score | null;
  readonly baselines: readonly BaselineResult[];
}

/** Confidence level of every interval. */
const CONFIDENCE = 0.95;

/** @param tolerance in the target's unit */
export function figuresOf({ rounds, tally }: BacktestResult, tolerance: number): BacktestFigures {
  const versions: VersionResult[] = [
    { version: FIRST_VERSION, round: null, score: scoresOfRows(tally.of(FIRST_VERSION), tolerance) },
    ...rounds.map((round) => ({
      version: round.version,
      round,
      score: scoresOfRows(tally.of(round.version), tolerance),
    })),
  ];
  const served = tally.served();
  const last = rounds.at(-1);
  return {
    champion:
      last === undefined ? FIRST_VERSION : last.decision === 'promoted' ? last.version : last.championBefore,
    versions,
    served: scoresOfRows(served, tolerance),
    baselines: [
      baseline('persistence', served, tolerance, (row) => row.persistenceError),
      baseline('seasonal naive', served, tolerance, (row) => row.baselines?.seasonal ?? null),
      baseline('linear', served, tolerance, (row) => row.baselines?.linear ?? null),
    ].flatMap((result) => result ?? []),
  };
}

/** Figures over rows, with intervals clustered by device and by window; null without rows. */
export function scoresOfRows(rows: readonly EvaluatedRow[], tolerance: number): Score | null {
  const clusters = rows.map(
    ({ deviceId, windowStart, error, correct, servedCorrect, persistenceError }): ScoreCluster => ({
      cluster: deviceId,
      windowStart,
      n: 1,
      correct: correct ? 1 : 0,
      servedCorrect: servedCorrect ? 1 : 0,
      error,
      absoluteError: Math.abs(error),
      persistenceAbsoluteError: Math.abs(persistenceError),
      persistenceCorrect: Math.abs(persistenceError) <= tolerance ? 1 : 0,
    }),
  );
  return scoreOf(clusters);
}

function baseline(
  name: BaselineResult['name'],
  served: readonly EvaluatedRow[],
  tolerance: number,
  errorOf: (row: EvaluatedRow) => number | null,
): BaselineResult | null {
  let absoluteError = 0;
  const pairs = served.flatMap((row): PairedCluster[] => {
    const error = errorOf(row);
    if (error === null) return [];
    absoluteError += Math.abs(error);
    return [
      {
        cluster: row.deviceId,
        windowStart: row.windowStart,
        n: 1,
        candidateCorrect: row.correct ? 1 : 0,
        championCorrect: Math.abs(error) <= tolerance ? 1 : 0,
      },
    ];
  });
  const evaluations = pairs.length;
  if (evaluations === 0) return null;
  const share = (of: (pair: PairedCluster) => number): number =>
    pairs.reduce((sum, pair) => sum + of(pair), 0) / evaluations;
  return {
    name,
    evaluations,
    accuracy: share(({ championCorrect }) => championCorrect),
    mae: absoluteError / evaluations,
    servedAccuracy: share(({ candidateCorrect }) => candidateCorrect),
    ahead: pairedChange(pairs, CONFIDENCE),
  };
}
