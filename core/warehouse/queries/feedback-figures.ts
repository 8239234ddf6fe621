import { z } from 'zod';
import { ANOMALY_KINDS } from '../../contracts/anomalies';
import { type AnomalyTruth, TENDENCIES, type Feedback } from '../../contracts/feedback';
import { versionIdSchema } from '../../contracts/ids';
import { addUp, figuresOf, sumsRow, type EvaluationSums } from '../database/sums';

/** Pure: sums of rows in, figures out. */

/** Sums of one version's rows that agree in all that a feedback distinguishes: some hundred cells for any number of rows. */
export const cellRow = sumsRow.extend({
  model_version: versionIdSchema,
  /** Which of ten equal bins of stated confidence, from 0. */
  bin: z.int(),
  regime: z.string(),
  actual_anomaly: z.boolean().nullable(),
  predicted_anomaly: z.boolean().nullable(),
  anomaly_kind: z.enum(ANOMALY_KINDS).nullable(),
  /** Of a version that predicts by devices' pasts: what is actual are labels alone. */
  is_scored: z.boolean(),
  first_start: z.int(),
  last_end: z.int(),
});
export type Cell = z.infer<typeof cellRow>;

/** Expected calibration error: Σ |correct − Σ confidence| / n over the bins (Naeini, Cooper, Hauskrecht 2015). */
export function calibrationOf(
  bins: readonly Pick<EvaluationSums, 'evaluations' | 'correct' | 'sum_confidence'>[],
): number {
  const n = bins.reduce((sum, { evaluations }) => sum + evaluations, 0);
  if (n === 0) return 0;
  return bins.reduce((sum, bin) => sum + Math.abs(bin.correct - bin.sum_confidence), 0) / n;
}

/** Beyond this many standard deviations the two kinds of mistakes are not equally frequent by chance. */
const TENDENCY_Z = 2;

/** Device-windows by predicted and actual anomaly. */
type Confusion = Pick<
  Feedback['anomalies'],
  'true_positive' | 'false_positive' | 'false_negative' | 'true_negative'
>;

/** False alarms against misses, by McNemar's test (1947): a difference that chance explains is `balanced`. */
export function tendencyOf(counts: Confusion): Feedback['anomalies']['tendency'] {
  if (Object.values(counts).every((count) => count === 0)) return 'unknown';
  const { false_positive, false_negative } = counts;
  const discordant = false_positive + false_negative;
  const z = discordant === 0 ? 0 : (false_positive - false_negative) / Math.sqrt(discordant);
  if (Math.abs(z) <= TENDENCY_Z) return 'balanced';
  return z > 0 ? TENDENCIES[0] : TENDENCIES[1];
}

/** Feedback on one version from its cells, of which there must be one at least. */
export function feedbackOf(
  input: Pick<Feedback, 'scope' | 'round' | 'model_version' | 'tolerance' | 'worst_devices'>,
  cells: readonly Cell[],
): Feedback {
  const sums = addUp(cells);
  const { persistenceAccuracy, ...figures } = figuresOf(sums);
  const sumsWhere = (holds: (cell: Cell) => boolean): EvaluationSums => addUp(cells.filter(holds));
  const accuracyWhere = (holds: (cell: Cell) => boolean): Feedback['by_regime']['normal'] => {
    const { evaluations: n, correct } = sumsWhere(holds);
    return { n, n_correct: correct, accuracy: n === 0 ? null : correct / n };
  };
  return {
    type: 'feedback',
    scope: input.scope,
    round: input.round,
    model_version: input.model_version,
    window_start: Math.min(...cells.map(({ first_start }) => first_start)),
    window_end: Math.max(...cells.map(({ last_end }) => last_end)),
    n: sums.evaluations,
    n_correct: sums.correct,
    ...figures,
    calibration: calibrationOf(Array.from({ length: 10 }, (_, bin) => sumsWhere((cell) => cell.bin === bin))),
    persistence_accuracy: persistenceAccuracy,
    tolerance: input.tolerance,
    // Windows whose anomaly is unknown are neither normal nor anomalous.
    by_regime: {
      normal: accuracyWhere(({ actual_anomaly }) => actual_anomaly === false),
      anomalous: accuracyWhere(({ actual_anomaly }) => actual_anomaly === true),
      rising: accuracyWhere(({ regime }) => regime === 'rising'),
      falling: accuracyWhere(({ regime }) => regime === 'falling'),
      steady: accuracyWhere(({ regime }) => regime === 'steady'),
    },
    anomalies: anomaliesOf(cells),
    worst_devices: input.worst_devices,
  };
}

function anomaliesOf(cells: readonly Cell[]): Feedback['anomalies'] {
  const count = (holds: (cell: Cell) => boolean): number => addUp(cells.filter(holds)).evaluations;
  const countOf = (actual: boolean, predicted: boolean): number =>
    count((cell) => cell.actual_anomaly === actual && cell.predicted_anomaly === predicted);
  const confusion = {
    true_positive: countOf(true, true),
    false_positive: countOf(false, true),
    false_negative: countOf(true, false),
    true_negative: countOf(false, false),
  };
  const kinds = ANOMALY_KINDS.map((kind) => {
    const ofKind = (actual?: boolean): number =>
      count((cell) => cell.anomaly_kind === kind && (actual === undefined || cell.actual_anomaly === actual));
    return [
      kind,
      { predicted: ofKind(), true_positive: ofKind(true), false_positive: ofKind(false) },
    ] as const;
  });
  return {
    ...confusion,
    tendency: tendencyOf(confusion),
    truth: truthOf(cells),
    by_kind: Object.fromEntries(kinds.filter(([, { predicted }]) => predicted > 0)),
  };
}

/** What is known to be actual rests on. */
function truthOf(cells: readonly Cell[]): AnomalyTruth {
  const known = cells.filter(({ actual_anomaly }) => actual_anomaly !== null);
  if (known.length === 0) return 'none';
  return known.every(({ is_scored }) => is_scored) ? 'labels' : 'labels or Grubbs';
}
