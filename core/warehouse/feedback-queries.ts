import { type DuckDBValue } from '@duckdb/node-api';
import { z } from 'zod';
import { type DeviceFeedback, type Feedback } from '../contracts/feedback';
import { versionIdSchema, type VersionId } from '../contracts/ids';
import { type Micros } from '../contracts/time';
import { type SerialConnection } from './connection';
import {
  feedbackOf,
  type AnomalyCounts,
  type CalibrationBin,
  type DeviceScore,
  type RegimeCount,
} from './feedback';
import { DEVICES_PER_FEEDBACK, WORST_DEVICES } from './limits';
import { sumsOf, sumsRow } from './sums';
import { timestamp } from './values';

/** Closed windows from the one that starts at `from` to the one that starts at `until`, both included. */
export interface WindowRange {
  readonly from: Micros;
  readonly until: Micros;
}

const IN_RANGE = 'window_start BETWEEN $from AND $until';

const versionSums = sumsRow.extend({
  model_version: versionIdSchema,
  first_start: z.int(),
  last_end: z.int(),
});
const binRow = z.object({
  model_version: versionIdSchema,
  bin: z.int(),
  n: z.int(),
  correct: z.int(),
  sum_confidence: z.number(),
});
const patternRow = z.object({
  model_version: versionIdSchema,
  regime: z.string(),
  actual_anomaly: z.boolean().nullable(),
  predicted_anomaly: z.boolean().nullable(),
  n: z.int(),
  correct: z.int(),
});
const deviceRow = z.object({
  model_version: versionIdSchema,
  device_id: z.string(),
  n: z.int(),
  correct: z.int(),
  sum_absolute_error: z.number(),
  sum_error: z.number(),
});

/**
 * Feedback on every version that has rows in the range (or on those of `versions`), counted from rows.
 * `tolerance` in °C decides what persistence got right.
 */
export async function feedbackOfRange(
  connection: SerialConnection,
  input: WindowRange & {
    readonly scope: Feedback['scope'];
    readonly round: number | null;
    readonly tolerance: number;
    readonly versions?: readonly VersionId[];
  },
): Promise<Feedback[]> {
  const range = { from: timestamp(input.from), until: timestamp(input.until) };
  return connection.alone(async ({ rows }) => {
    const totals = await rows(
      versionSums,
      `SELECT model_version, min(window_start) AS first_start, max(window_end) AS last_end, ${sumsOf('$tolerance')}
       FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY model_version ORDER BY model_version`,
      { ...range, tolerance: input.tolerance },
    );
    const wanted = totals.filter(({ model_version }) => input.versions?.includes(model_version) ?? true);
    if (wanted.length === 0) return [];
    const bins = await rows(
      binRow,
      `SELECT model_version, least(9, greatest(0, floor(confidence * 10)))::INTEGER AS bin, count(*) AS n,
              count(*) FILTER (WHERE is_correct) AS correct, sum(confidence) AS sum_confidence
       FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY ALL ORDER BY ALL`,
      range,
    );
    const patterns = await rows(
      patternRow,
      `SELECT model_version, regime, actual_anomaly, predicted_anomaly, count(*) AS n,
              count(*) FILTER (WHERE is_correct) AS correct
       FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY ALL ORDER BY ALL`,
      range,
    );
    const worst = await rows(
      deviceRow,
      `SELECT model_version, device_id, count(*) AS n, count(*) FILTER (WHERE is_correct) AS correct,
              sum(abs(error)) AS sum_absolute_error, sum(error) AS sum_error
       FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY model_version, device_id
       QUALIFY row_number() OVER (PARTITION BY model_version
                                  ORDER BY correct / n, sum_absolute_error / n DESC, device_id) <= ${WORST_DEVICES}
       ORDER BY model_version, correct / n, sum_absolute_error / n DESC, device_id`,
      range,
    );
    return wanted.map((total) => {
      const version = total.model_version;
      const own = patterns.filter(({ model_version }) => model_version === version);
      return feedbackOf({
        scope: input.scope,
        round: input.round,
        version,
        windowStart: total.first_start,
        windowEnd: total.last_end,
        tolerance: input.tolerance,
        sums: sumsOfRow(total),
        bins: bins.filter(({ model_version }) => model_version === version).map(binOf),
        regimes: regimesOf(own),
        anomalies: anomaliesOf(own),
        worst: worst.filter(({ model_version }) => model_version === version).map(deviceOf),
      });
    });
  });
}

function sumsOfRow(row: z.infer<typeof sumsRow>): Parameters<typeof feedbackOf>[0]['sums'] {
  return {
    evaluations: row.evaluations,
    correct: row.correct,
    sumError: row.sum_error,
    sumAbsoluteError: row.sum_absolute_error,
    sumSquaredError: row.sum_squared_error,
    sumPersistenceAbsoluteError: row.sum_persistence_absolute_error,
    persistenceCorrect: row.persistence_correct,
  };
}

function binOf({ bin, n, correct, sum_confidence }: z.infer<typeof binRow>): CalibrationBin {
  return { bin, n, correct, sumConfidence: sum_confidence };
}

function deviceOf(row: z.infer<typeof deviceRow>): DeviceScore {
  return {
    deviceId: row.device_id,
    n: row.n,
    correct: row.correct,
    sumAbsoluteError: row.sum_absolute_error,
    sumError: row.sum_error,
  };
}

/** By the course of the temperature, and by whether the window really held an anomaly (unknown counts as neither). */
function regimesOf(patterns: readonly z.infer<typeof patternRow>[]): Map<string, RegimeCount> {
  const regimes = new Map<string, RegimeCount>();
  const add = (name: string, { n, correct }: RegimeCount): void => {
    const known = regimes.get(name) ?? { n: 0, correct: 0 };
    regimes.set(name, { n: known.n + n, correct: known.correct + correct });
  };
  for (const pattern of patterns) {
    add(pattern.regime, pattern);
    if (pattern.actual_anomaly !== null) add(pattern.actual_anomaly ? 'anomalous' : 'normal', pattern);
  }
  return regimes;
}

function anomaliesOf(patterns: readonly z.infer<typeof patternRow>[]): AnomalyCounts {
  const count = (actual: boolean, predicted: boolean): number =>
    patterns
      .filter((pattern) => pattern.actual_anomaly === actual && pattern.predicted_anomaly === predicted)
      .reduce((sum, { n }) => sum + n, 0);
  return {
    truePositive: count(true, true),
    falsePositive: count(false, true),
    falseNegative: count(true, false),
    trueNegative: count(false, false),
  };
}

/**
 * Accuracy of one version by device over a range, in messages of at most 1,000 devices, sorted by device. Read by column: a row object and
 * its check for each of a quarter of a million devices cost more than the question itself.
 */
export async function deviceFeedbackOfRange(
  connection: SerialConnection,
  input: WindowRange & { readonly round: number; readonly version: VersionId },
): Promise<DeviceFeedback[]> {
  const chunks = await connection.chunks(
    `SELECT device_id, count(*)::INTEGER, (count(*) FILTER (WHERE is_correct))::INTEGER, avg(abs(error)), avg(error)
     FROM evaluation_rows WHERE model_version = $version AND ${IN_RANGE} GROUP BY device_id ORDER BY device_id`,
    { from: timestamp(input.from), until: timestamp(input.until), version: input.version },
  );
  const columns = chunks.map((chunk) => chunk.getColumns());
  const column = (index: number): DuckDBValue[] => columns.flatMap((of) => of[index] ?? []);
  const numbers = (index: number): number[] => column(index).map(Number);
  const devices = column(0).map(String);
  const [n, correct, mae, bias] = [numbers(1), numbers(2), numbers(3), numbers(4)];
  const messages = Math.max(1, Math.ceil(devices.length / DEVICES_PER_FEEDBACK));
  return Array.from({ length: messages }, (_, message): DeviceFeedback => {
    const part = <Value>(values: readonly Value[]): Value[] =>
      values.slice(message * DEVICES_PER_FEEDBACK, (message + 1) * DEVICES_PER_FEEDBACK);
    return {
      type: 'device-feedback',
      round: input.round,
      model_version: input.version,
      chunk: message,
      last: message === messages - 1,
      device_id: part(devices),
      n: part(n),
      n_correct: part(correct),
      mae: part(mae),
      bias: part(bias),
    };
  });
}
