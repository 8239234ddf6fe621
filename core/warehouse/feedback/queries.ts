import { z } from 'zod';
import { type Feedback } from '../../contracts/feedback';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { type SerialConnection } from '../database/connection';
import { worstDevicesOfRange, type WorstDevices } from './by-device';
import {
  feedbackOf,
  type AnomalyCounts,
  type CalibrationBin,
  type EvaluationSums,
  type RegimeCount,
} from '../queries/feedback-figures';
import { sumsOf, sumsRow } from '../database/sums';
import { boundsOf, IN_RANGE, type WindowRange } from '../queries/windows';

/** Rows of one version that are alike in all that a feedback tells apart: some hundred cells hold any number of rows. */
const cellRow = sumsRow.extend({
  model_version: versionIdSchema,
  bin: z.int(),
  regime: z.string(),
  actual_anomaly: z.boolean().nullable(),
  predicted_anomaly: z.boolean().nullable(),
  first_start: z.int(),
  last_end: z.int(),
});
type Cell = z.infer<typeof cellRow>;

/**
 * Feedback on every version that has rows in the range (or on those of `versions`), counted from rows.
 * `tolerance` in °C decides what persistence got right. `worst`: the worst devices, where they are known already.
 */
export async function feedbackOfRange(
  connection: SerialConnection,
  input: WindowRange & {
    readonly scope: Feedback['scope'];
    readonly round: number | null;
    readonly tolerance: number;
    readonly versions?: readonly VersionId[];
    readonly worst?: WorstDevices;
  },
): Promise<Feedback[]> {
  // One look at the rows instead of one for the sums, the bins and the patterns each.
  const cells = await connection.rows(
    cellRow,
    `SELECT model_version, least(9, greatest(0, floor(confidence * 10)))::INTEGER AS bin, regime, actual_anomaly, predicted_anomaly,
            min(window_start) AS first_start, max(window_end) AS last_end, ${sumsOf('$tolerance')}
     FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY ALL ORDER BY ALL`,
    { ...boundsOf(input), tolerance: input.tolerance },
  );
  const measured = new Set(cells.map(({ model_version }) => model_version));
  const wanted = [...measured].filter((version) => input.versions?.includes(version) ?? true);
  if (wanted.length === 0) return [];
  const worst = input.worst ?? (await worstDevicesOfRange(connection, input));
  return wanted.map((version) => {
    const own = cells.filter(({ model_version }) => model_version === version);
    return feedbackOf({
      scope: input.scope,
      round: input.round,
      version,
      windowStart: Math.min(...own.map(({ first_start }) => first_start)),
      windowEnd: Math.max(...own.map(({ last_end }) => last_end)),
      tolerance: input.tolerance,
      sums: sumsIn(own),
      bins: binsIn(own),
      regimes: regimesIn(own),
      anomalies: anomaliesIn(own),
      worst: worst.get(version) ?? [],
    });
  });
}

function sumsIn(cells: readonly Cell[]): EvaluationSums {
  const sum = (of: (cell: Cell) => number): number => cells.reduce((total, cell) => total + of(cell), 0);
  return {
    evaluations: sum(({ evaluations }) => evaluations),
    correct: sum(({ correct }) => correct),
    sumError: sum(({ sum_error }) => sum_error),
    sumAbsoluteError: sum(({ sum_absolute_error }) => sum_absolute_error),
    sumSquaredError: sum(({ sum_squared_error }) => sum_squared_error),
    sumPersistenceAbsoluteError: sum(({ sum_persistence_absolute_error }) => sum_persistence_absolute_error),
    persistenceCorrect: sum(({ persistence_correct }) => persistence_correct),
  };
}

function binsIn(cells: readonly Cell[]): CalibrationBin[] {
  const bins = new Map<number, CalibrationBin>();
  for (const { bin, evaluations, correct, sum_confidence } of cells) {
    const known = bins.get(bin) ?? { bin, n: 0, correct: 0, sumConfidence: 0 };
    bins.set(bin, {
      bin,
      n: known.n + evaluations,
      correct: known.correct + correct,
      sumConfidence: known.sumConfidence + sum_confidence,
    });
  }
  return [...bins.values()];
}

/** By the course of the temperature, and by whether the window really held an anomaly (unknown counts as neither). */
function regimesIn(cells: readonly Cell[]): Map<string, RegimeCount> {
  const regimes = new Map<string, RegimeCount>();
  const add = (name: string, { evaluations, correct }: Cell): void => {
    const known = regimes.get(name) ?? { n: 0, correct: 0 };
    regimes.set(name, { n: known.n + evaluations, correct: known.correct + correct });
  };
  for (const cell of cells) {
    add(cell.regime, cell);
    if (cell.actual_anomaly !== null) add(cell.actual_anomaly ? 'anomalous' : 'normal', cell);
  }
  return regimes;
}

function anomaliesIn(cells: readonly Cell[]): AnomalyCounts {
  const count = (actual: boolean, predicted: boolean): number =>
    cells
      .filter((cell) => cell.actual_anomaly === actual && cell.predicted_anomaly === predicted)
      .reduce((sum, { evaluations }) => sum + evaluations, 0);
  return {
    truePositive: count(true, true),
    falsePositive: count(false, true),
    falseNegative: count(true, false),
    trueNegative: count(false, false),
  };
}
