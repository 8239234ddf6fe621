import { z } from 'zod';
import { ROW_LIMITS } from './limits';
import { EVERY_TIME, type StreamSettings } from './settings';
import { READING_FAULTS, type Sensors } from './task';
import { type Micros, MICROS_PER_MILLI, MICROS_PER_SECOND } from './time';
import { timestampTextSchema } from './timestamps';
import { UNDECODABLE_BATCH } from './undecodable';

/**
 * The public topic `edge-iiot-stream`: one JSON object a record, keyed by device id, so that a device lies in one partition. Fields that
 * are not named here are ignored; null is as good as a field that is left out. A value of a covariate that is no number, a number in quotes
 * included, is left out and counted; the target must be a number.
 */

const MAX_MILLIS = Number.MAX_SAFE_INTEGER / MICROS_PER_MILLI;
const timestampSchema = z.union([timestampTextSchema, z.number().min(-MAX_MILLIS).max(MAX_MILLIS)]);
const readingSchema = z.number().min(-ROW_LIMITS.reading).max(ROW_LIMITS.reading).nullish();
const covariateSchema = z.unknown().optional().describe('A number; anything else is no value.');

/** An event of a fleet with these sensors. The target may stand under its own name or under `data`; one of them must. */
export function eventSchema(sensors: Sensors): z.ZodType {
  const { sensor } = sensors.target;
  const { covariates } = sensors;
  const fields = z.looseObject({
    device_id: z.string().min(1).max(ROW_LIMITS.deviceIdCharacters),
    /** As core/contracts/timestamps.ts defines it: ISO 8601 or RFC 3339, UTC without a zone, or milliseconds since 1970. */
    timestamp: timestampSchema,
    [sensor]: readingSchema,
    ...Object.fromEntries(covariates.map(({ sensor: name }) => [name, covariateSchema])),
    data: readingSchema,
    /** Whether the reading is known to be anomalous. */
    label: z.union([z.boolean(), z.literal(0), z.literal(1)]).nullish(),
    /** Stands for Kafka's own timestamp where a file is replayed. */
    record_timestamp: timestampSchema.nullish(),
  });
  const holds = (name: string): z.core.JSONSchema.BaseSchema => ({
    required: [name],
    properties: { [name]: { type: 'number' } },
  });
  return fields
    .refine((event) => typeof (event[sensor] ?? event.data) === 'number', `${sensor} or data must be there`)
    .meta({ anyOf: [holds(sensor), holds('data')] });
}

/** An event time outside the plausible span. */
const IMPLAUSIBLE_TIME = 'implausible-time';

/**
 * Why bytes are no event, apart from what its fields' names stand in (`missing-…`, `bad-…`). `over-limit` is a good event that would have gone
 * over a bound on the state; `undecodable-batch` is no event, but a whole batch of the log that cannot be read.
 */
export const MALFORMED_REASONS = [
  'empty',
  'too-large',
  'not-utf8',
  'not-json',
  'nested-too-deep',
  'not-an-object',
  'duplicate-key',
  'forbidden-key',
  IMPLAUSIBLE_TIME,
  ...READING_FAULTS,
  'over-limit',
  UNDECODABLE_BATCH,
] as const;

/**
 * Why bytes are no event: a field is missing, its value is none that it can have, or one of `MALFORMED_REASONS`. A fleet's set is closed, so
 * that it can be a header's value and a metric's label.
 */
export type MalformedDetail =
  `missing-${string}` | `bad-${string}` | (typeof MALFORMED_REASONS)[number] | ImplausibleTime;

/** A span of event times; both ends are in it. */
export type PlausibleSpan = StreamSettings['plausible'];

/** An event time outside the plausible span, with what the number would be right as. */
export type ImplausibleTime = typeof IMPLAUSIBLE_TIME | `${typeof IMPLAUSIBLE_TIME}: ${TimeHint}`;
type TimeHint = `epoch ${(typeof OTHER_UNITS)[number]['unit']}?`;

const OTHER_UNITS = [
  { unit: 'seconds', micros: MICROS_PER_SECOND },
  { unit: 'microseconds', micros: 1 },
  { unit: 'nanoseconds', micros: 1e-3 },
] as const;

/** What is wrong with the event time `micros`; undefined where it is plausible. */
export function implausibleTime(micros: Micros, plausible: PlausibleSpan): ImplausibleTime | undefined {
  if (isPlausible(plausible, micros)) return undefined;
  return timeInAnotherUnit(micros / MICROS_PER_MILLI, plausible) ?? IMPLAUSIBLE_TIME;
}

/** The same for a number that is no time in milliseconds; undefined where it is none in another unit either. */
export function timeInAnotherUnit(number: number, plausible: PlausibleSpan): ImplausibleTime | undefined {
  // Where every time is plausible, a unit in which a number is one says nothing.
  if (plausible.fromMicros === EVERY_TIME.fromMicros) return undefined;
  const other = OTHER_UNITS.find(({ micros }) => isPlausible(plausible, number * micros));
  return other && `${IMPLAUSIBLE_TIME}: epoch ${other.unit}?`;
}

/** Whether an event time is in the span. */
export function isPlausible({ fromMicros, untilMicros }: PlausibleSpan, micros: Micros): boolean {
  return micros >= fromMicros && micros <= untilMicros;
}

/** The reason alone, without a hint behind it: what rejects are counted by. */
export function reasonOfDetail(detail: string): string {
  return detail.split(':', 1)[0] ?? detail;
}
