import { TENDENCIES, type Feedback } from '../../contracts/feedback';
import { type VersionId } from '../../contracts/ids';
import { type Micros } from '../../contracts/time';

/** Pure: sums of rows in, figures out. */

/** Sums over the evaluation rows of one version; errors in °C. */
export interface EvaluationSums {
  readonly evaluations: number;
  readonly correct: number;
  readonly sumError: number;
  readonly sumAbsoluteError: number;
  readonly sumSquaredError: number;
  readonly sumPersistenceAbsoluteError: number;
  readonly persistenceCorrect: number;
}

/** Rows that fell in one of ten equal bins of stated confidence. */
export interface CalibrationBin {
  readonly bin: number;
  readonly n: number;
  readonly correct: number;
  readonly sumConfidence: number;
}

export interface AnomalyCounts {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
  readonly trueNegative: number;
}

export interface RegimeCount {
  readonly n: number;
  readonly correct: number;
}

export interface DeviceScore {
  readonly deviceId: string;
  readonly n: number;
  readonly correct: number;
  readonly mae: number;
  readonly bias: number;
}

/** 1 − MAE / MAE of persistence; null where persistence made no error at all. */
export function skillOf(
  sums: Pick<EvaluationSums, 'sumAbsoluteError' | 'sumPersistenceAbsoluteError'>,
): number | null {
  return sums.sumPersistenceAbsoluteError > 0
    ? 1 - sums.sumAbsoluteError / sums.sumPersistenceAbsoluteError
    : null;
}

/** Expected calibration error: Σ |correct − Σ confidence| / n over the bins (Naeini, Cooper, Hauskrecht 2015). */
export function calibrationOf(bins: readonly CalibrationBin[]): number {
  const n = bins.reduce((sum, bin) => sum + bin.n, 0);
  if (n === 0) return 0;
  return bins.reduce((sum, bin) => sum + Math.abs(bin.correct - bin.sumConfidence), 0) / n;
}

/** Beyond this many standard deviations the two kinds of mistakes are not equally frequent by chance. */
const TENDENCY_Z = 2;

/** What false alarms against misses say, by McNemar's test (1947): a difference that chance explains is `balanced`. */
export function tendencyOf(counts: AnomalyCounts): Feedback['anomalies']['tendency'] {
  const { truePositive, falsePositive, falseNegative, trueNegative } = counts;
  if (truePositive + falsePositive + falseNegative + trueNegative === 0) return 'unknown';
  const discordant = falsePositive + falseNegative;
  const z = discordant === 0 ? 0 : (falsePositive - falseNegative) / Math.sqrt(discordant);
  if (Math.abs(z) <= TENDENCY_Z) return 'balanced';
  return z > 0 ? TENDENCIES[0] : TENDENCIES[1];
}

const NOTHING: RegimeCount = { n: 0, correct: 0 };

/** Put a feedback together. `sums.evaluations` must be above 0. */
export function feedbackOf(input: {
  readonly scope: Feedback['scope'];
  readonly round: number | null;
  readonly version: VersionId;
  readonly windowStart: Micros;
  readonly windowEnd: Micros;
  readonly tolerance: number;
  readonly sums: EvaluationSums;
  readonly bins: readonly CalibrationBin[];
  readonly regimes: ReadonlyMap<string, RegimeCount>;
  readonly anomalies: AnomalyCounts;
  readonly worst: readonly DeviceScore[];
}): Feedback {
  const { sums, anomalies } = input;
  const n = sums.evaluations;
  const regime = (name: string) => {
    const { n: count, correct } = input.regimes.get(name) ?? NOTHING;
    return { n: count, n_correct: correct, accuracy: count === 0 ? null : correct / count };
  };
  return {
    type: 'feedback',
    scope: input.scope,
    round: input.round,
    model_version: input.version,
    window_start: input.windowStart,
    window_end: input.windowEnd,
    n,
    n_correct: sums.correct,
    accuracy: sums.correct / n,
    skill: skillOf(sums),
    mae: sums.sumAbsoluteError / n,
    rmse: Math.sqrt(sums.sumSquaredError / n),
    bias: sums.sumError / n,
    calibration: calibrationOf(input.bins),
    persistence_accuracy: sums.persistenceCorrect / n,
    tolerance: input.tolerance,
    by_regime: {
      normal: regime('normal'),
      anomalous: regime('anomalous'),
      rising: regime('rising'),
      falling: regime('falling'),
      steady: regime('steady'),
    },
    anomalies: {
      true_positive: anomalies.truePositive,
      false_positive: anomalies.falsePositive,
      false_negative: anomalies.falseNegative,
      true_negative: anomalies.trueNegative,
      tendency: tendencyOf(anomalies),
    },
    worst_devices: input.worst.map((device) => ({
      device_id: device.deviceId,
      n: device.n,
      accuracy: device.correct / device.n,
      mae: device.mae,
      bias: device.bias,
    })),
  };
}
