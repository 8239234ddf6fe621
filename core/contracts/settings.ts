import { z } from 'zod';
import { FedloopError } from './errors';
import { ROW_LIMITS } from './limits';
import { DEFAULT_TASK, taskSchema } from './task';

/** `30s`, `500ms`, `10m`, `24h`, `2d`: how a person writes a time span. Parsed to milliseconds. */
export const durationSchema = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'a duration is a number with ms, s, m, h or d, such as 30s')
  .transform((text) => durationMillis(text));

const MILLIS_OF_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of a duration that `durationSchema`'s pattern accepts. */
export function durationMillis(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) throw new RangeError(`not a duration: ${text}`);
  const unit = match[2] as keyof typeof MILLIS_OF_UNIT;
  return Number(match[1]) * MILLIS_OF_UNIT[unit];
}

/** Windows of one partition that the watermark keeps open at once. */
function openWindows(watermarkMicros: number, windowMicros: number): number {
  return Math.ceil(watermarkMicros / windowMicros) + 2;
}

/**
 * What every process of one deployment must agree on. Logged in `model-deployments` under the key `settings` by whoever
 * starts the deployment, so that a worker on another machine needs nothing but the broker's address.
 */
export const streamSettingsSchema = z
  .strictObject({
    task: taskSchema,
    watermarkMicros: z.int().min(0),
    /** An event further ahead of its Kafka record's timestamp is `future`. */
    futureMicros: z.int().min(0),
    /** A partition without events for so long (wall clock) closes its windows up to the largest event time seen. */
    idleMillis: z.int().positive(),
    /** `ROW_LIMITS` of the release that started the deployment. */
    limits: z.record(z.string(), z.number()).readonly(),
  })
  .superRefine(({ task, watermarkMicros }, context) => {
    const open = openWindows(watermarkMicros, task.windowMicros);
    if (open <= ROW_LIMITS.openWindows) return;
    const message = `the watermark would keep ${open} windows open at once; at most ${ROW_LIMITS.openWindows} are allowed: use larger windows or a shorter watermark`;
    context.addIssue({ code: 'custom', message });
  });
export type StreamSettings = z.infer<typeof streamSettingsSchema>;

export const DEFAULT_STREAM_SETTINGS: StreamSettings = {
  task: DEFAULT_TASK,
  watermarkMicros: 60_000_000,
  futureMicros: 30_000_000,
  idleMillis: 30_000,
  limits: ROW_LIMITS,
};

/** As deployments from before the task was a setting have them logged. */
const formerSettingsSchema = z
  .strictObject({
    windowMicros: z.int().positive(),
    watermarkMicros: z.int().min(0),
    futureMicros: z.int().min(0),
    toleranceCelsius: z.number().positive(),
    idleMillis: z.int().positive(),
  })
  .transform(({ windowMicros, toleranceCelsius: tolerance, ...times }): StreamSettings => {
    const { task } = DEFAULT_STREAM_SETTINGS;
    return {
      ...DEFAULT_STREAM_SETTINGS,
      ...times,
      task: { ...task, windowMicros, target: { ...task.target, tolerance } },
    };
  });

/** Settings as the log has them, in today's form or the former one. */
export const loggedSettingsSchema = z.union([streamSettingsSchema, formerSettingsSchema]);

/**
 * Hold what a deployment has logged against what a process has: the limits of its release and, where it was given one, its task.
 * @throws FedloopError `InvalidConfig` with both values of the first difference.
 */
export function assertOwnSettings(logged: StreamSettings, own: Partial<StreamSettings>): void {
  const [difference] = differences(own, logged, []);
  if (difference === undefined) return;
  const { path, own: mine, logged: theirs } = difference;
  throw new FedloopError(
    'InvalidConfig',
    `this deployment was started with ${path.join('.')} ${JSON.stringify(theirs)}, but this process has ${JSON.stringify(mine)}`,
    {
      hint: 'Run the release and the settings that the deployment was started with, or start another deployment.',
    },
  );
}

interface Difference {
  readonly path: readonly string[];
  readonly own: unknown;
  readonly logged: unknown;
}

/** Where `logged` says something else than `own` does, field by field of `own`. */
function differences(own: unknown, logged: unknown, path: readonly string[]): readonly Difference[] {
  if (typeof own !== 'object' || own === null) return own === logged ? [] : [{ path, own, logged }];
  const there: Partial<Record<string, unknown>> =
    typeof logged === 'object' && logged !== null ? { ...logged } : {};
  if (Array.isArray(own) && own.length !== Object.keys(there).length) return [{ path, own, logged }];
  return Object.entries(own).flatMap(([name, value]) => differences(value, there[name], [...path, name]));
}
