import { z } from 'zod';

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

/**
 * What every process of one deployment must agree on. Logged in `model-deployments` under the key `settings` by whoever
 * starts the deployment, so that a worker on another machine needs nothing but the broker's address.
 */
export const streamSettingsSchema = z.strictObject({
  windowMicros: z.int().positive(),
  watermarkMicros: z.int().min(0),
  /** An event further ahead of its Kafka record's timestamp is `future`. */
  futureMicros: z.int().min(0),
  /** A forecast is correct when it lies at most this many °C from the actual mean. */
  toleranceCelsius: z.number().positive(),
  /** A partition without events for so long (wall clock) closes its windows up to the largest event time seen. */
  idleMillis: z.int().positive(),
});
export type StreamSettings = z.infer<typeof streamSettingsSchema>;

export const DEFAULT_STREAM_SETTINGS: StreamSettings = {
  windowMicros: 30_000_000,
  watermarkMicros: 60_000_000,
  futureMicros: 30_000_000,
  toleranceCelsius: 1,
  idleMillis: 30_000,
};
