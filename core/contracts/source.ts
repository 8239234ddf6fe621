import { z } from 'zod';
import { EVENT_FIELDS } from './task';
import { timestampTextSchema } from './timestamps';
import { foreignTopic, plainTopic, TOPICS } from './topics';

/**
 * Where a fleet's messages come from, and how they become canonical events. Without `fields`, `each` and `wide` a topic's messages are
 * canonical already, and stream workers read them as they are; otherwise, and from MQTT, an ingest worker writes them to
 * `edge-iiot-stream`.
 */

/** A JSON Pointer (RFC 6901) into a message, such as `/payload/vibration/rms` or `/readings/0/value`; `/` alone is the whole message. */
export const pathSchema = z
  .string()
  .max(200)
  .regex(/^\/(?:[^~]|~[01])*$/, 'a path begins with / and names one field after the other, such as /meta/id');

/** How a number or text tells the time; `iso` is the grammar of `timestamps.ts`. */
export const TIME_UNITS = ['s', 'ms', 'us', 'ns', 'iso'] as const;
export type TimeUnit = (typeof TIME_UNITS)[number];

/** A part of the MQTT topic that a message came by: the first is 0. */
const topicPartSchema = z.strictObject({ topicPart: z.int().min(0).max(50) });

const idFieldSchema = z.union([pathSchema, z.strictObject({ path: pathSchema }), topicPartSchema]);
const timeFieldSchema = z.union([
  pathSchema,
  z.strictObject({ path: pathSchema, unit: z.enum(TIME_UNITS).default('iso') }),
]);
/** reading = `scale` · value + `offset`. */
const readingFieldSchema = z.union([
  pathSchema,
  z.strictObject({
    path: pathSchema,
    scale: z
      .number()
      .refine((scale) => scale !== 0, 'a scale of 0 leaves nothing of a reading')
      .default(1),
    offset: z.number().default(0),
  }),
]);

/** Where each part of a canonical event stands in a message: its own fields, and a sensor for every other key. */
export const fieldsSchema = z
  .object({
    device_id: idFieldSchema.optional(),
    timestamp: timeFieldSchema.optional(),
    record_timestamp: timeFieldSchema.optional(),
    label: pathSchema.optional(),
  })
  .catchall(readingFieldSchema);
export type SourceFields = z.infer<typeof fieldsSchema>;

/** Names of `fields` that are no sensors. */
export const SOURCE_FIELDS: ReadonlySet<string> = new Set(EVENT_FIELDS);

const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/;

/** MQTT 5, 4.7.1 and 4.7.3. */
function isTopicFilter(filter: string): boolean {
  const parts = filter.split('/');
  return (
    !filter.includes('\0') &&
    parts.every((part, at) => !/[+#]/.test(part) || part === '+' || (part === '#' && at === parts.length - 1))
  );
}

const mqttSchema = z.strictObject({
  /** Without user and password: those come from `FEDLOOP_MQTT_USERNAME` and `FEDLOOP_MQTT_PASSWORD`. */
  url: z
    .string()
    .regex(
      /^(mqtts?|wss?):\/\/[^@\s]+$/,
      'an MQTT server is given as mqtt://host:1883, without user and password',
    )
    .refine(
      (url) => URL.canParse(url),
      'an MQTT server is given as mqtt://host:1883, with a port below 65536',
    ),
  /** Topic filter, such as `tele/+/SENSOR`. */
  topic: z
    .string()
    .min(1)
    .max(65_535)
    .refine(
      isTopicFilter,
      'in a topic of MQTT, + stands for one part and # for all that follow, each alone between slashes, such as tele/+/SENSOR',
    ),
});

export const sourceSchema = z
  .strictObject({
    /** A topic of Kafka, by its whole name; left out, the fleet's own `edge-iiot-stream`. */
    topic: z.string().regex(TOPIC_NAME, 'a topic has 1 to 249 letters, digits, ., _ and -').optional(),
    mqtt: mqttSchema.optional(),
    /** Where a new fleet begins to read. A topic that was made anew, or whose places the broker has forgotten, is read from its beginning later. */
    from: z.union([z.enum(['earliest', 'latest']), timestampTextSchema]).default('earliest'),
    fields: fieldsSchema.optional(),
    /** An array inside a message; each of its elements is a reading. Paths of `fields` are tried in the element, then in the message. */
    each: pathSchema.optional(),
    /** Names of fields with `*`: each field that it fits is a reading of the target by the device that `*` stands for; a path
     * may follow to where the reading stands in such a field, such as `/temp` behind `pump-*`. The target's own path is that of the object with the fields.
     */
    wide: z
      .string()
      .max(100)
      .regex(/^[^*]*\*[^*]*$/, 'a pattern has one *, such as temperature_*')
      .optional(),
  })
  .refine(
    ({ topic, mqtt }) => topic === undefined || mqtt === undefined,
    'a source is a topic or MQTT, not both',
  );
export type Source = z.infer<typeof sourceSchema>;

export const DEFAULT_SOURCE: Source = { from: 'earliest' };

/** Whether an ingest worker must turn the source's messages into canonical events. */
export function needsIngest({ mqtt, fields, each, wide }: Source): boolean {
  return [mqtt, fields, each, wide].some((part) => part !== undefined);
}

/** The topic of canonical events, which stream workers read. */
export function eventTopic(source: Source): string {
  return source.topic === undefined || needsIngest(source) ? TOPICS.stream.name : foreignTopic(source.topic);
}

/** Names, without a deployment's prefix, of the topic of canonical events and of that whose messages ingest makes events of, if there is one. */
export function topicsOfSource(source: Source): {
  readonly eventTopic: string;
  readonly messageTopic: string | undefined;
} {
  return {
    eventTopic: plainTopic(eventTopic(source)),
    messageTopic: needsIngest(source) ? source.topic : undefined,
  };
}
