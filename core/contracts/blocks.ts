import { z } from 'zod';
import { microsSchema } from './time';
import { versionIdSchema, type VersionId } from './ids';

/**
 * What the stream worker writes: blocks of at most `ROWS_PER_BLOCK` rows of one window, column by column, as JSON.
 * `ordinal` counts the blocks of one partition, topic and window from 0; `last` marks the final one. A window without rows
 * on a partition has one block with no rows and `last`, so that every closed window can be seen to be complete (after a gap
 * of many windows only the latest of them is written: a mark stands for every window before it).
 * The sink drops a block whose (window, ordinal) lies at or before its mark for that partition, or whose epoch is an older one.
 */
const blockHeader = {
  partition: z.int().min(0),
  /** Which claim of the partition wrote it; the highest epoch wins. */
  epoch: z.int().min(0),
  window_start: microsSchema,
  window_end: microsSchema,
  ordinal: z.int().min(0),
  last: z.boolean(),
};

/**
 * A column of a block, looked through in one go: hundreds of thousands of values come in a second, and asking a schema of each
 * costs more than storing it.
 */
function column<Value>(
  what: string,
  isValue: (value: unknown, at: number, values: readonly unknown[]) => value is Value,
): z.ZodType<Value[]> {
  return z.custom<Value[]>(
    (values) => Array.isArray(values) && values.every(isValue),
    `expected a list of ${what}`,
  );
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isFlag = (value: unknown): value is 0 | 1 => value === 0 || value === 1;

/** Versions in one block are few: each is looked at once. */
function isVersion(value: unknown, at: number, values: readonly unknown[]): value is VersionId {
  return (at > 0 && value === values[at - 1]) || versionIdSchema.safeParse(value).success;
}

const texts = column('texts', (value): value is string => typeof value === 'string');
const numbers = column('numbers', isNumber);
const optionalNumbers = column('numbers or null', (value) => value === null || isNumber(value));
/** 1, 0 or null where it cannot be known. */
const flags = column('1, 0 or null', (value) => value === null || isFlag(value));

export const REGIMES = ['rising', 'falling', 'steady'] as const;
/** `rising`/`falling`: the mean of the actual window lies more than half a tolerance above/below the one before. */
export const regimeSchema = z.enum(REGIMES);
export type Regime = z.infer<typeof regimeSchema>;

export const analysisBlockSchema = z.object({
  type: z.literal('analysis'),
  ...blockHeader,
  columns: z.object({
    device_id: texts,
    count: numbers,
    /** Temperature in °C: mean, smallest, largest, sample standard deviation (0 for one reading). */
    avg: numbers,
    min: numbers,
    max: numbers,
    stddev: numbers,
    /** Largest |Z| of the window's readings; 0 where σ = 0 or there is one reading. */
    max_abs_z: numbers,
    /** Readings with |Z| > 2.5. */
    outliers: numbers,
    /** Relative humidity in % and pressure in hPa: means of the readings that had them, else null. */
    humidity_avg: optionalNumbers,
    pressure_avg: optionalNumbers,
    /** What forecasts are held against: the events' label, else Grubbs' test; null = unknown. */
    actual_anomaly: flags,
  }),
});
export type AnalysisBlock = z.infer<typeof analysisBlockSchema>;

export const evaluationBlockSchema = z.object({
  type: z.literal('evaluation'),
  ...blockHeader,
  columns: z.object({
    /** The version that made the forecast; several versions stand in one window. */
    model_version: column('versions', isVersion),
    device_id: texts,
    /** Forecast and actual mean temperature of the window in °C. */
    prediction_result: numbers,
    actual_result: numbers,
    /** error = prediction − actual, loss = error². */
    error: numbers,
    loss: numbers,
    is_correct: column('1 or 0', isFlag),
    /** The model's own probability that |error| ≤ tolerance, stated when it forecast. */
    confidence: numbers,
    /** Persistence's error on the same window: mean of the window before − actual. */
    persistence_error: numbers,
    predicted_anomaly: flags,
    actual_anomaly: flags,
    regime: column('regimes', (value): value is Regime => REGIMES.some((regime) => regime === value)),
  }),
});
export type EvaluationBlock = z.infer<typeof evaluationBlockSchema>;

/**
 * First thing that a new owner of a partition writes to both result topics and to `edge-iiot-rejects`: from here on in the
 * log, blocks and rejects of an older epoch are void. It carries no rows and moves no mark; a sink only remembers the epoch
 * (and so must ignore no fence for lack of columns). Without it a worker that was frozen could still slip in what it makes of
 * events after its partition was taken over.
 */
export const fenceBlockSchema = z.object({
  type: z.literal('fence'),
  partition: z.int().min(0),
  epoch: z.int().min(0),
});
export type FenceBlock = z.infer<typeof fenceBlockSchema>;

export const VERDICTS = ['windowed', 'late', 'duplicate', 'future', 'malformed'] as const;
export type Verdict = (typeof VERDICTS)[number];
export type RejectReason = Exclude<Verdict, 'windowed'>;

/** Headers of a record in `edge-iiot-rejects`; its value is the raw bytes that came in, the first 512 KiB where there are more (`size` says how many). */
export const REJECT_HEADERS = {
  reason: 'reason',
  partition: 'source-partition',
  offset: 'source-offset',
  detail: 'detail',
  size: 'size',
  /** Which claim of the partition it was written under. */
  epoch: 'epoch',
  /** Only on a fence: its own epoch. */
  fence: 'fence',
} as const;

/** One window of a device as the lags of the first forecasts need it. */
export const historyChunkSchema = z.object({
  type: z.literal('history'),
  /** SHA-256 over the snapshot's rows; all chunks of one snapshot carry the same. */
  snapshot: z.string(),
  /** How many chunks the snapshot has in this partition: fewer are no snapshot. */
  chunks: z.int().min(1),
  /** Start of the last window in the chunk; column k of a device lies k windows before it. */
  last_window_start: microsSchema,
  window_micros: microsSchema,
  devices: z.array(
    z.object({
      device_id: z.string(),
      /** Newest first; null where the window is missing. */
      avg: optionalNumbers,
      humidity_avg: optionalNumbers,
      pressure_avg: optionalNumbers,
      /** The device's usual spread inside a window in °C, where known. */
      stddev: z.number().nullable(),
    }),
  ),
});
export type HistoryChunk = z.infer<typeof historyChunkSchema>;
