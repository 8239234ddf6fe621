import { z } from 'zod';
import { MICROS_PER_SECOND } from './time';

/**
 * The task: what a fleet's models forecast, and from what. Columns of blocks and tables, features, the network's inputs, what the fleet
 * records and what `verify` compares follow from this one value. A covariate more is an element more of `covariates`.
 */

/** Fields of an event that are no sensors. */
export const EVENT_FIELDS = ['device_id', 'timestamp', 'record_timestamp', 'label', 'data'] as const;
/** Keys that could reach an object's prototype in a later program: an event that has one is put aside. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/** Names that no sensor can have. */
export const NO_SENSORS: ReadonlySet<string> = new Set([...EVENT_FIELDS, ...FORBIDDEN_KEYS]);

/** Name of a sensor: field of an event, column of a file, and part of a table's column, so it is narrow. */
export const sensorNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,39}$/, 'a sensor is named with 1 to 40 of a-z, 0-9 and _, a letter first')
  .refine(
    (name) => !NO_SENSORS.has(name),
    'an event has this field for something else: give the sensor another name, and its path in source.fields',
  )
  .brand<'SensorName'>();
export type SensorName = z.infer<typeof sensorNameSchema>;

const unitSchema = z.string().max(20);

/** A sensor, and which of its numbers are readings. Any other number costs the event this value alone; it is counted. */
const sensorFields = {
  sensor: sensorNameSchema,
  unit: unitSchema,
  /** Smallest and largest plausible reading; both are plausible themselves. */
  min: z.number().optional(),
  max: z.number().optional(),
  /** Numbers that mean "no reading", such as −999. */
  missing: z.array(z.number()).max(20).readonly().optional(),
  /**
   * For a sensor that sends when its value changes: how long a reading stays true. In features a window without readings then has the mean
   * of the last window with some, when that ended at most so long before it ends, and at most `lags` windows before. It is never an actual
   * value that a forecast is held against.
   */
  holdMicros: z.int().positive().optional(),
};

/** Each covariate adds two features and a few bytes to every device and window. */
export const MAX_COVARIATES = 16;
/** A network's inputs and a device's lags grow with them: a week of hours. */
export const MAX_LAGS = 168;

const NO_RANGE = { path: ['max'], error: 'the largest reading is below the smallest' };

function isRange({
  min = -Infinity,
  max = Infinity,
}: {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}): boolean {
  return min <= max;
}

/**
 * Why a number of a sensor is no reading; undefined for one that is. A number that is none (NaN) is `out-of-range`. Neither reason begins like
 * those with a sensor's name behind them (`missing-…`, `bad-…`), so that no sensor can be called so that two reasons are one.
 */
export function readingFault(
  { min = -Infinity, max = Infinity, missing = [] }: ReadingRange,
  value: number,
): ReadingFault | undefined {
  if (missing.includes(value)) return 'sentinel-value';
  return value >= min && value <= max ? undefined : 'out-of-range';
}

/** Why a number is no reading: it is one of the sensor's `missing`, or beyond its `min` and `max`. */
export const READING_FAULTS = ['sentinel-value', 'out-of-range'] as const;
export type ReadingFault = (typeof READING_FAULTS)[number];

/** What `sentinel-value` was called in former releases: for a sensor called `value` that also says that the field is absent. */
export const FORMER_SENTINEL_VALUE = 'missing-value';

/** Which numbers of a sensor are readings. */
export type ReadingRange = Partial<Readonly<Record<'min' | 'max', number | undefined>>> & {
  readonly missing?: readonly number[] | undefined;
};

export const taskSchema = z
  .strictObject({
    /** What is forecast: the mean of this sensor in the next window. A forecast within `tolerance`, in the sensor's unit, is correct. */
    target: z.strictObject({ ...sensorFields, tolerance: z.number().positive() }).refine(isRange, NO_RANGE),
    /** Sensors that help to forecast it; an event may lack them. */
    covariates: z
      .array(z.strictObject(sensorFields).refine(isRange, NO_RANGE))
      .max(MAX_COVARIATES)
      .readonly(),
    /** Windows that a forecast looks back on. */
    lags: z.int().min(2).max(MAX_LAGS),
    windowMicros: z.int().positive(),
  })
  .superRefine(({ target, covariates }, context) => {
    const names = [target, ...covariates].map(({ sensor }) => sensor);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice === undefined) return;
    const error = `a sensor is named twice: ${twice}${twice === target.sensor ? ' is the target already' : ''}`;
    context.addIssue({ code: 'custom', path: ['covariates'], message: error });
  });
export type Task = z.infer<typeof taskSchema>;

/** What tables, reports and dashboards say of the target: its name, its unit, and how near a forecast has to come. */
export type TargetWords = Pick<Task['target'], 'sensor' | 'unit' | 'tolerance'>;

/** The simulated fleet's task, and that of a deployment without settings of its own. */
export const DEFAULT_TASK: Task = taskSchema.parse({
  target: { sensor: 'temperature', unit: '°C', tolerance: 1 },
  covariates: [
    { sensor: 'humidity', unit: '%' },
    { sensor: 'pressure', unit: 'hPa' },
  ],
  lags: 24,
  windowMicros: 30 * MICROS_PER_SECOND,
});

/** Which sensors there are: all that names of columns and fields depend on. */
export type Sensors = Pick<Task, 'target' | 'covariates'>;

/** All sensors of the task, the target first. */
export function sensorsOf({ target, covariates }: Sensors): readonly SensorName[] {
  return [target.sensor, ...covariates.map(({ sensor }) => sensor)];
}

/** Column of a block or table with a covariate's mean in the window. */
export type AverageColumn = `${string}_avg`;

/** Columns of the covariates' means, in the task's order. */
export function covariateColumns({ covariates }: Pick<Task, 'covariates'>): readonly AverageColumn[] {
  return covariates.map(({ sensor }): AverageColumn => `${sensor}_avg`);
}

/** Shape of the task's features: `lags` differences of the target, value and change of each covariate, and the level. */
export type FeatureTask = Pick<Task, 'lags' | 'covariates'>;

export function featureCount({ lags, covariates }: FeatureTask): number {
  return lags + 2 * covariates.length + 1;
}

/** Of so many lags so many must be there for a forecast; the rule also stands in a view of the warehouse. */
export const NEEDED_LAGS = { of: 6, are: 5 } as const;

/** Of the last `lags` windows so many must be there for a forecast (the latest always): 20 of 24. */
export function minLags({ lags }: Pick<Task, 'lags'>): number {
  return Math.ceil((lags * NEEDED_LAGS.are) / NEEDED_LAGS.of);
}

/** Windows kept of a device for its next forecast: the lags and the one before them, whose difference to the oldest lag is a feature. */
export function historyWindows({ lags }: Pick<Task, 'lags'>): number {
  return lags + 1;
}

/**
 * By sensor, the target first: for how many windows without readings the mean of the last one with readings is taken: those that end at
 * most the sensor's hold after that one, and no more than a forecast looks back on.
 */
export function heldWindows({
  target,
  covariates,
  lags,
  windowMicros,
}: Pick<Task, 'target' | 'covariates' | 'lags' | 'windowMicros'>): readonly number[] {
  return [target, ...covariates].map(({ holdMicros = 0 }) =>
    Math.min(lags, Math.floor(holdMicros / windowMicros)),
  );
}
