import { z } from 'zod';
import { ROW_LIMITS } from './limits';
import { type Sensors, sensorsOf } from './task';
import { MICROS_PER_MILLI } from './time';
import { timestampTextSchema } from './timestamps';
import { type UNDECODABLE_BATCH } from './undecodable';

/**
 * The public topic `edge-iiot-stream`: one JSON object a record, keyed by device id, so that a device lies in one partition. Fields that
 * are not named here are ignored; null is as good as a field that is left out.
 */

const MAX_MILLIS = Number.MAX_SAFE_INTEGER / MICROS_PER_MILLI;
const timestampSchema = z.union([timestampTextSchema, z.number().min(-MAX_MILLIS).max(MAX_MILLIS)]);
const readingSchema = z.number().min(-ROW_LIMITS.reading).max(ROW_LIMITS.reading).nullish();

/** An event of a fleet with these sensors. The target may stand under its own name or under `data`; one of them must. */
export function eventSchema(sensors: Sensors): z.ZodType {
  const { sensor } = sensors.target;
  const fields = z.looseObject({
    device_id: z.string().min(1).max(ROW_LIMITS.deviceIdCharacters),
    /** As core/contracts/timestamps.ts defines it: ISO 8601 or RFC 3339, UTC without a zone, or milliseconds since 1970. */
    timestamp: timestampSchema,
    ...Object.fromEntries(sensorsOf(sensors).map((sensor) => [sensor, readingSchema])),
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

/**
 * Why bytes are no event: the target is missing, a sensor's value is no reading, or one of these. A fleet's set is closed, so that it can
 * be a header's value and a metric's label. `over-limit` is a good event that would have gone over a bound on the state;
 * `undecodable-batch` is no event, but a whole batch of the log that cannot be read.
 */
export type MalformedDetail =
  | `missing-${string}`
  | `bad-${string}`
  | 'empty'
  | 'too-large'
  | 'not-utf8'
  | 'not-json'
  | 'nested-too-deep'
  | 'not-an-object'
  | 'duplicate-key'
  | 'forbidden-key'
  | 'over-limit'
  | typeof UNDECODABLE_BATCH;
