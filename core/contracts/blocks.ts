import { z } from 'zod';
import { ANOMALY_KINDS, type AnomalyKind, isAnomalyKind } from './anomalies';
import { type Micros, microsSchema } from './time';
import { versionIdSchema, type VersionId } from './ids';
import {
  integerSchema,
  isMeasure,
  isStorableDeviceId,
  MAX_INTEGER,
  MAX_MEASURE,
  measureSchema,
  nameSchema,
  raggedColumn,
  storedDeviceIdSchema,
} from './storable';
import { type AverageColumn, covariateColumns, type Sensors } from './task';

/**
 * What the stream worker writes: blocks of at most `ROWS_PER_BLOCK` rows of one window, column by column, as JSON.
 * `ordinal` counts the blocks of one partition, topic and window from 0; `last` marks the final one. A window without rows
 * on a partition has one block with no rows and `last`, so that every closed window can be seen to be complete (after a gap
 * of many windows only the latest of them is written: a mark stands for every window before it). `after` is the end of the
 * window that was written before it: one that a sink has not stored up to there was lost on the way.
 * The sink drops a block whose (window, ordinal) lies at or before its mark for that partition, or whose epoch is an older one.
 */
const blockHeader = {
  partition: integerSchema,
  /** Which claim of the partition wrote it; the highest epoch wins. */
  epoch: z.int().min(0),
  window_start: microsSchema,
  window_end: microsSchema,
  /** null for the first window of a partition; left out by earlier releases. */
  after: microsSchema.nullable().optional(),
  ordinal: integerSchema,
  last: z.boolean(),
};

/**
 * A column of a block, looked through in one go: hundreds of thousands of values come in a second, and asking a schema of each
 * costs more than storing it. `items` is the JSON Schema of a value.
 */
function column<Value>(
  what: string,
  items: Readonly<Record<string, unknown>>,
  isValue: (value: unknown, at: number, values: readonly unknown[]) => value is Value,
): z.ZodType<Value[]> {
  return z
    .custom<Value[]>((values) => Array.isArray(values) && values.every(isValue), `expected a list of ${what}`)
    .meta({ type: 'array', items });
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_INTEGER;
const isLoss = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= MAX_MEASURE * MAX_MEASURE;
const isFlag = (value: unknown): value is 0 | 1 => value === 0 || value === 1;

/** Versions in one block are few: each is looked at once. */
function isVersion(value: unknown, at: number, values: readonly unknown[]): value is VersionId {
  return (at > 0 && value === values[at - 1]) || versionIdSchema.safeParse(value).success;
}

const deviceIds = column('device ids', { type: 'string' }, isStorableDeviceId);
const counts = column('counts', { type: 'integer', minimum: 0, maximum: MAX_INTEGER }, isCount);
const numbers = column('numbers', { type: 'number', minimum: -MAX_MEASURE, maximum: MAX_MEASURE }, isMeasure);
const optionalNumbers = column(
  'numbers or null',
  { type: ['number', 'null'] },
  (value) => value === null || isMeasure(value),
);
/** 1, 0 or null where it cannot be known. */
const flags = column('1, 0 or null', { enum: [0, 1, null] }, (value) => value === null || isFlag(value));

/** `rising`/`falling`: the mean of the actual window lies more than half a tolerance above/below the one before. */
export const REGIMES = ['rising', 'falling', 'steady'] as const;
export type Regime = (typeof REGIMES)[number];

const beforeCovariates = {
  device_id: deviceIds,
  count: counts,
  /** The target in its unit: mean, smallest, largest, sample standard deviation (0 for one reading). */
  avg: numbers,
  min: numbers,
  max: numbers,
  stddev: numbers,
  /** Largest |Z| of the window's readings; 0 where σ = 0 or there is one reading. */
  max_abs_z: numbers,
  /** Readings with |Z| above the deployment's `outlierZ`. */
  outliers: counts,
};
const afterCovariates = {
  /** What forecasts are compared with: the events' label, else Grubbs' test; null = unknown. */
  actual_anomaly: flags,
};

/** Means of the covariates in a window, `<covariate>_avg`, in their units: null where no reading had it. */
type CovariateMeans = Record<AverageColumn, (number | null)[]>;

export type AnalysisColumns = z.infer<z.ZodObject<typeof beforeCovariates & typeof afterCovariates>> &
  CovariateMeans;

function covariateMeans(sensors: Sensors): Record<AverageColumn, typeof optionalNumbers> {
  return Object.fromEntries(covariateColumns(sensors).map((name) => [name, optionalNumbers]));
}

function analysisColumnsSchema(sensors: Sensors): z.ZodObject & z.ZodType<AnalysisColumns> {
  return z.object({ ...beforeCovariates, ...covariateMeans(sensors), ...afterCovariates });
}

export type AnalysisBlock = z.infer<z.ZodObject<typeof blockHeader>> & {
  readonly type: 'analysis';
  readonly columns: AnalysisColumns;
};

export function analysisBlockSchema(sensors: Sensors): z.ZodType<AnalysisBlock> {
  return z.object({ type: z.literal('analysis'), ...blockHeader, columns: analysisColumnsSchema(sensors) });
}

const evaluationColumnsSchema = z.object({
  /** The version that made the forecast; several versions stand in one window. */
  model_version: column('versions', { type: 'string' }, isVersion),
  device_id: deviceIds,
  /** Forecast and actual mean of the target in the window, in its unit. */
  prediction_result: numbers,
  /** The forecast as served, where the device has corrected it; null where it was served as it is. Left out by earlier releases. */
  served_result: optionalNumbers.optional(),
  actual_result: numbers,
  /** error = prediction − actual, loss = error². */
  error: numbers,
  loss: column('losses', { type: 'number', minimum: 0, maximum: MAX_MEASURE * MAX_MEASURE }, isLoss),
  is_correct: column('1 or 0', { enum: [0, 1] }, isFlag),
  /** The model's own probability that |error| ≤ tolerance, stated when it forecast. */
  confidence: numbers,
  /** Persistence's error on the same window: mean of the window before − actual. */
  persistence_error: numbers,
  predicted_anomaly: flags,
  /**
   * Half the width of the band around the forecast, outside of which a mean is a predicted anomaly, once what the version errs for all devices alike is taken
   * off; null = none. Left out by earlier releases.
   */
  band: optionalNumbers.optional(),
  /** −log₁₀ of the share of windows that look as unusual by chance; null = unknown. Left out by earlier releases. */
  anomaly_score: optionalNumbers.optional(),
  /** What the predicted anomaly looks like; null where there is none. Left out by earlier releases. */
  anomaly_kind: column(
    'kinds of anomalies or null',
    { enum: [...ANOMALY_KINDS, null] },
    (value): value is AnomalyKind | null => value === null || isAnomalyKind(value),
  ).optional(),
  /** What `predicted_anomaly` is compared with; null = unknown. Labels alone where there is a score; else labels, and Grubbs' test where there are none. */
  actual_anomaly: flags,
  regime: column('regimes', { enum: REGIMES }, (value): value is Regime =>
    REGIMES.some((regime) => regime === value),
  ),
});
/** As the stream worker of today makes them. */
const fullEvaluationColumnsSchema = evaluationColumnsSchema.required();
export type EvaluationColumns = z.infer<typeof fullEvaluationColumnsSchema>;

export const evaluationBlockSchema = z.object({
  type: z.literal('evaluation'),
  ...blockHeader,
  columns: evaluationColumnsSchema,
});
export type EvaluationBlock = z.infer<typeof evaluationBlockSchema>;

/**
 * What makes a block that its schema lets through none of this deployment: columns of different lengths, or a window off the grid.
 * undefined where nothing does.
 */
export function blockFault(
  {
    window_start,
    window_end,
    columns,
  }: Pick<AnalysisBlock | EvaluationBlock, 'window_start' | 'window_end' | 'columns'>,
  windowMicros: Micros,
): string | undefined {
  const ragged = raggedColumn(columns);
  if (ragged !== undefined) return ragged;
  if (window_start % windowMicros !== 0) return `a window that starts at ${window_start} is off the grid`;
  if (window_end !== window_start + windowMicros) return `a window of ${window_end - window_start} µs`;
  return undefined;
}

/** Every column without rows yet, in the order in which blocks have them. */
function emptyColumns<Columns>(schema: z.ZodObject & z.ZodType<Columns>): Columns {
  return schema.parse(Object.fromEntries(Object.keys(schema.shape).map((name) => [name, []])));
}

export function emptyAnalysis(sensors: Sensors): AnalysisColumns {
  return emptyColumns(analysisColumnsSchema(sensors));
}

export function emptyEvaluations(): EvaluationColumns {
  return emptyColumns<EvaluationColumns>(fullEvaluationColumnsSchema);
}

/**
 * First thing that a new owner of a partition writes to both result topics and to `edge-iiot-rejects`: from here on in the
 * log, blocks and rejects of an older epoch are void. It carries no rows and moves no mark; a sink only remembers the epoch
 * (and so must ignore no fence for lack of columns). Without it a worker that was frozen could still slip in what it makes of
 * events after its partition was taken over.
 */
export const fenceBlockSchema = z.object({
  type: z.literal('fence'),
  partition: integerSchema,
  epoch: z.int().min(0),
  /**
   * The watermark was set back by hand: windows close again behind the one that starts at `to`. It holds where the last stored window is
   * `from`, so that one which is written again after a crash changes nothing.
   */
  reset: z.object({ from: microsSchema, to: microsSchema }).optional(),
});
export type FenceBlock = z.infer<typeof fenceBlockSchema>;

export const VERDICTS = ['windowed', 'late', 'duplicate', 'future', 'malformed'] as const;
export type Verdict = (typeof VERDICTS)[number];
export type RejectReason = Exclude<Verdict, 'windowed'>;
export const REJECT_REASONS = VERDICTS.filter((verdict): verdict is RejectReason => verdict !== 'windowed');

/** Headers of a record in `edge-iiot-rejects`; its value is the raw bytes that came in, the first 512 KiB where there are more (`size` says how many). */
export const REJECT_HEADERS = {
  reason: 'reason',
  partition: 'source-partition',
  offset: 'source-offset',
  /**
   * Timestamp of the event's record, in milliseconds since 1970. The reject's own record has that of its writing: brokers refuse one that is too far
   * from their clock. Left out for what has none to be believed; earlier releases gave the record that of the event's.
   */
  time: 'source-timestamp',
  detail: 'detail',
  size: 'size',
  /** Only on a batch that cannot be read: the offset of its last record, and what is wrong with it and what to do. */
  lastOffset: 'source-last-offset',
  remedy: 'remedy',
  /** Which claim of the partition it was written under. */
  epoch: 'epoch',
  /**
   * How many events of the partition were refused by then, with this one: a sink that did not get the one before it knows that it was lost. Left out by
   * earlier releases.
   */
  number: 'number',
  /** Only on a fence: its own epoch. */
  fence: 'fence',
} as const;

const historyHeader = {
  type: z.literal('history'),
  /** SHA-256 over the snapshot's rows; all chunks of one snapshot carry the same. */
  snapshot: nameSchema,
  /** How many chunks the snapshot has in this partition: fewer are no snapshot. A former release did not say. */
  chunks: integerSchema.min(1).optional(),
  /** Start of the last window in the chunk; column k of a device lies k windows before it. */
  last_window_start: microsSchema,
  window_micros: microsSchema,
};
const historyDevice = {
  device_id: storedDeviceIdSchema,
  avg: optionalNumbers,
  /** The device's usual spread inside a window, in the target's unit, where known. */
  stddev: measureSchema.min(0).nullable(),
};

/** Windows of devices as the lags of the first forecasts need them. Columns hold the newest window first, null where it is missing. */
export type HistoryChunk = z.infer<z.ZodObject<typeof historyHeader>> & {
  readonly devices: (z.infer<z.ZodObject<typeof historyDevice>> & CovariateMeans)[];
};

export function historyChunkSchema(sensors: Sensors): z.ZodType<HistoryChunk> {
  return z.object({
    ...historyHeader,
    devices: z.array(z.object({ ...historyDevice, ...covariateMeans(sensors) })),
  });
}
