import { z } from 'zod';
import { FedloopError } from './errors';
import { ROW_LIMITS } from './limits';
import { DEFAULT_SOURCE, SOURCE_FIELDS, sourceSchema } from './source';
import { DEFAULT_TASK, sensorsOf, taskSchema } from './task';
import { microsSchema } from './time';
import { microsOfText } from './timestamps';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const MILLIS_OF_UNIT: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `500ms`, `10m`, `24h`, `2d`: how a person writes a time span. Stays text, so that an input reads as it was given. */
export const durationTextSchema = z
  .string()
  .regex(DURATION, 'a duration is a number with ms, s, m, h or d, such as 30s');

/** The same, parsed to milliseconds. */
export const durationSchema = durationTextSchema.transform(durationMillis);

/** Milliseconds of a duration that `durationTextSchema` accepts. */
export function durationMillis(text: string): number {
  const [, count, unit = ''] = DURATION.exec(text) ?? [];
  const millis = Number(count) * (MILLIS_OF_UNIT[unit] ?? NaN);
  if (Number.isNaN(millis)) throw new RangeError(`not a duration: ${text}`);
  return millis;
}

const timeLimits = {
  watermarkMicros: z.int().min(0),
  /** An event further ahead of its Kafka record's timestamp is `future`. */
  futureMicros: z.int().min(0),
  /** A partition without events for so long (wall clock) closes its windows up to the largest event time seen. */
  idleMillis: z.int().positive(),
};

/** What a deployment of an earlier release has not logged: it behaved so. */
const laterSettings = {
  /** Event times outside it are `malformed` (`implausible-time`): a clock that was never set, a wrong unit of time. */
  plausible: z
    .strictObject({ fromMicros: microsSchema, untilMicros: microsSchema })
    .default({ fromMicros: microsOfText('2000-01-01'), untilMicros: microsOfText('2100-01-01') }),
  /** |Z| above which a reading counts as an outlier of its window. */
  outlierZ: z.number().positive().default(ROW_LIMITS.outlierZ),
  /** What makes two events of a device duplicates: the same time, or the same time and readings. */
  duplicates: z.enum(['time', 'reading']).default('time'),
  /**
   * Devices that must agree before a partition's time jumps ahead: half of those it knows, at least two, at most so many. Until then
   * events far ahead are kept aside. A partition with one device needs no other. 1 = each event moves the time by itself.
   */
  clockQuorum: z.int().min(1).default(1),
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
  clockQuorum: 3,
  limits: ROW_LIMITS,
});

/** As deployments from before the task was a setting have them logged. */
const formerSettingsSchema = z
  .strictObject({ windowMicros: z.int().positive(), toleranceCelsius: z.number().positive(), ...timeLimits })
  .transform(({ windowMicros, toleranceCelsius: tolerance, ...times }): StreamSettings => {
    const target = { ...DEFAULT_TASK.target, tolerance };
    const task = { ...DEFAULT_TASK, windowMicros, target };
    return { ...DEFAULT_STREAM_SETTINGS, ...times, clockQuorum: 1, task };
  });

/** Settings as the log has them, in today's form or the former one. */
export const loggedSettingsSchema = z.union([streamSettingsSchema, formerSettingsSchema]);

/**
 * Compare what a deployment has logged with what a process has: the limits of its release and, where it was given one, its task.
 * @throws FedloopError `InvalidConfig` with both values of the first difference.
 */
export function assertOwnSettings(logged: StreamSettings, own: Partial<StreamSettings>): void {
  const [difference] = differences(own, logged, []);
  if (difference === undefined) return;
  throw new FedloopError('InvalidConfig', `this deployment was started with ${difference}`, {
    hint: 'Run the release and the settings that the deployment was started with, or start another deployment.',
  });
}

/** Where `logged` differs from `own`, field by field of `own`, each as the end of a sentence. */
function differences(own: unknown, logged: unknown, path: readonly string[]): readonly string[] {
  const difference = `${path.join('.')} ${JSON.stringify(logged)}, but this process has ${JSON.stringify(own)}`;
  if (typeof own !== 'object' || own === null) return own === logged ? [] : [difference];
  const there: Partial<Record<string, unknown>> =
    typeof logged === 'object' && logged !== null ? { ...logged } : {};
  if (Array.isArray(own) && own.length !== Object.keys(there).length) return [difference];
  return Object.entries(own).flatMap(([name, value]) => differences(value, there[name], [...path, name]));
}
