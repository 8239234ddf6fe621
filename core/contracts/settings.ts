import { z } from 'zod';
import { DEFAULT_FALSE_ALARMS, falseAlarmsSchema } from './anomalies';
import { FedloopError } from './errors';
import { ROW_LIMITS } from './limits';
import { DEFAULT_SOURCE, SOURCE_FIELDS, sourceSchema } from './source';
import { DEFAULT_TASK, sensorsOf, taskSchema } from './task';
import { MICROS_PER_MILLI, microsSchema } from './time';
import { microsOfText } from './timestamps';

const DURATION = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)$/;
const MILLIS_OF_UNIT: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Ten years: longer is a mistake, and a number of many digits is none that a timer or a table can hold. */
const LONGEST_DURATION = '3650d';

const NO_DURATION = 'a duration is a number with ms, s, m, h or d, such as 30s';

/** `30s`, `500ms`, `10m`, `24h`, `2d`: how a person writes a time span. Stays text, so that an input reads as it was given. */
export const durationTextSchema = z
  .string({ error: NO_DURATION })
  // A check behind it may take the text for a duration.
  .regex(DURATION, { error: NO_DURATION, abort: true })
  .refine((text) => durationMillis(text) <= durationMillis(LONGEST_DURATION), {
    error: `a duration is at most ${LONGEST_DURATION}`,
  });

/** A duration that something is waited for, or repeated after. */
export const positiveDurationTextSchema = durationTextSchema.refine(
  (text) => durationMillis(text) >= 1,
  'it must be longer than 0',
);

/** The same, parsed to milliseconds. */
export const durationSchema = durationTextSchema.transform(durationMillis);

/** Milliseconds of a duration that `durationTextSchema` accepts. */
export function durationMillis(text: string): number {
  const [, count, unit = ''] = DURATION.exec(text) ?? [];
  const millis = Number(count) * (MILLIS_OF_UNIT[unit] ?? NaN);
  if (Number.isNaN(millis)) throw new RangeError(`not a duration: ${text}`);
  return millis;
}

/** The shortest text of a duration: `90s`, `1.5m` stays `90s`, `2m`. */
export function durationText(millis: number): string {
  const units = Object.entries(MILLIS_OF_UNIT).sort(([, one], [, other]) => other - one);
  const [unit, size] = units.find(([, size]) => millis >= size && millis % size === 0) ?? ['ms', 1];
  return `${millis / size}${unit}`;
}

/** The same of microseconds. */
export function microsText(micros: number): string {
  return durationText(micros / MICROS_PER_MILLI);
}

const timeLimits = {
  watermarkMicros: z.int().min(0),
  /** An event further ahead of its Kafka record's timestamp is `future`. */
  futureMicros: z.int().min(0),
  /** A partition without events for so long (wall clock) closes its windows up to the largest event time seen. */
  idleMillis: z.int().positive(),
};

/** The plausible span of a deployment that has none. */
export const EVERY_TIME = {
  fromMicros: Number.MIN_SAFE_INTEGER,
  untilMicros: Number.MAX_SAFE_INTEGER,
} as const;

/** What a deployment of an earlier release has not logged: it behaved so. */
const laterSettings = {
  /** Event times outside it are `malformed` (`implausible-time`): a clock that was never set, a wrong unit of time. */
  plausible: z.strictObject({ fromMicros: microsSchema, untilMicros: microsSchema }).default(EVERY_TIME),
  /** |Z| above which a reading counts as an outlier of its window. */
  outlierZ: z.number().positive().default(ROW_LIMITS.outlierZ),
  /** What makes two events of a device duplicates: the same time, or the same time and readings. */
  duplicates: z.enum(['time', 'reading']).default('time'),
  /**
   * Devices that must agree before a partition's time jumps ahead: half of those it knows, at least two, at most so many. Until then
   * events far ahead are kept aside. A partition with one device needs no other. 1 = each event moves the time by itself.
   */
  clockQuorum: z.int().min(1).default(1),
  /** Part of the device-windows without an anomaly that versions may predict to have one. */
  anomaly: z.strictObject({ falseAlarms: falseAlarmsSchema }).default({ falseAlarms: DEFAULT_FALSE_ALARMS }),
  /** Where the fleet's messages come from. */
  source: sourceSchema.default(DEFAULT_SOURCE),
};

/**
 * What every process of one deployment must agree on. The process that starts a deployment logs it in `model-deployments` under the key
 * `settings`, so that a worker on another machine needs nothing but the broker's address.
 */
export const streamSettingsSchema = z
  .strictObject({
    task: taskSchema,
    ...timeLimits,
    ...laterSettings,
    /** `ROW_LIMITS` of the release that started the deployment. */
    limits: z.record(z.string(), z.number()).readonly(),
  })
  .superRefine(({ task, source }, context) => {
    const sensors = new Set<string>(sensorsOf(task));
    const unknown = Object.keys(source.fields ?? {}).filter(
      (name) => !SOURCE_FIELDS.has(name) && !sensors.has(name),
    );
    if (unknown.length === 0) return;
    const message = `"${unknown.join('", "')}" is neither the target nor one of the covariates (${[...sensors].join(', ')})`;
    context.addIssue({ code: 'custom', path: ['source', 'fields'], message });
  })
  .superRefine(({ task, watermarkMicros }, context) => {
    // Windows of one partition that the watermark keeps open at once.
    const open = Math.ceil(watermarkMicros / task.windowMicros) + 2;
    if (open <= ROW_LIMITS.openWindows) return;
    const message = `the watermark would keep ${open} windows open at once; at most ${ROW_LIMITS.openWindows} are allowed: use larger windows or a shorter watermark`;
    context.addIssue({ code: 'custom', message });
  });
export type StreamSettings = z.infer<typeof streamSettingsSchema>;

export const DEFAULT_STREAM_SETTINGS: StreamSettings = streamSettingsSchema.parse({
  task: DEFAULT_TASK,
  watermarkMicros: 60_000_000,
  futureMicros: 30_000_000,
  idleMillis: 30_000,
  plausible: { fromMicros: microsOfText('2000-01-01'), untilMicros: microsOfText('2100-01-01') },
  clockQuorum: 3,
  limits: ROW_LIMITS,
});

/** As deployments from before the task was a setting have them logged. */
const formerSettingsSchema = z
  .strictObject({ windowMicros: z.int().positive(), toleranceCelsius: z.number().positive(), ...timeLimits })
  .transform(({ windowMicros, toleranceCelsius: tolerance, ...times }): StreamSettings => {
    const target = { ...DEFAULT_TASK.target, tolerance };
    const task = { ...DEFAULT_TASK, windowMicros, target };
    return { ...DEFAULT_STREAM_SETTINGS, plausible: EVERY_TIME, ...times, clockQuorum: 1, task };
  });

/** Settings as the log has them, in today's form or the former one. */
export const loggedSettingsSchema = z.union([streamSettingsSchema, formerSettingsSchema]);

/**
 * Compare what a deployment has logged with what a process has: the limits of its release and, where it was given one, its task.
 * @throws FedloopError `InvalidConfig` with both values of the first difference.
 */
export function assertOwnSettings(logged: StreamSettings, own: Partial<StreamSettings>): void {
  const difference = firstDifference(logged, own);
  if (difference === undefined) return;
  const { path, ...values } = difference;
  const [there, here] = [values.logged, values.own].map((value) => JSON.stringify(value));
  const what = `${path.join('.')} ${there ?? 'left out'}, but this process has ${here ?? 'none'}`;
  throw new FedloopError('InvalidConfig', `this deployment was started with ${what}`, {
    hint: 'Run the release and the settings that the deployment was started with, or start another deployment.',
  });
}

/** A field whose values differ; undefined where one side lacks it. */
export interface SettingsDifference {
  readonly path: readonly string[];
  readonly logged: unknown;
  readonly own: unknown;
}

/** The first difference in the settings that a process has; those that it lacks do not count. */
export function firstDifference(
  logged: StreamSettings,
  own: Partial<StreamSettings>,
): SettingsDifference | undefined {
  for (const name of Object.keys(own)) {
    const [difference] = differences(fieldOf(own, name), fieldOf(logged, name), [name]);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** A later release may have more limits than `own`; of anything else both sides must have the same fields. */
function differences(own: unknown, logged: unknown, path: readonly string[]): readonly SettingsDifference[] {
  if (!isObject(own) || !isObject(logged)) return own === logged ? [] : [{ path, logged, own }];
  if (Array.isArray(own) && Array.isArray(logged) && own.length !== logged.length)
    return [{ path, logged, own }];
  const names = path[0] === 'limits' ? Object.keys(own) : Object.keys({ ...logged, ...own });
  return names.flatMap((name) => differences(fieldOf(own, name), fieldOf(logged, name), [...path, name]));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function fieldOf(value: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
