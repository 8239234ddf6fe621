import { type RejectReason } from './blocks';
import { type MALFORMED_REASONS, type MalformedDetail, reasonOfDetail } from './events';
import { type UnmappedReason } from './ingest';

/** What a reject is counted by: a verdict, or why an event or a message is none; the target's name is left out. */
type ReasonToMend =
  RejectReason | (typeof MALFORMED_REASONS)[number] | Exclude<UnmappedReason, MalformedDetail> | FieldReason;
/** Of fields that every fleet has; those of the target, `missing-<sensor>` and `bad-<sensor>`, stand under `*`. */
type FieldReason =
  | `missing-${'device-id' | 'timestamp' | '*'}`
  | `bad-${'device-id' | 'timestamp' | 'record-timestamp' | 'label' | '*'}`;

const OTHER_FIELD = 'Name the path that messages have it under in source.fields.';

/** What helps against rejects, by reason. Each is one sentence. */
export const REMEDIES: Readonly<Record<ReasonToMend, string>> = {
  late: 'Their windows had closed: a longer watermark waits for them, and fedloop rejects replay --reason late takes them as history.',
  duplicate:
    'Sent twice, two devices with one id, or several at one instant of a coarse clock: duplicates: reading counts those that differ.',
  future:
    "Ahead of their Kafka records: mend the devices' clocks or time zones, or raise future where records are stamped early.",
  malformed: 'Look at the latest: fedloop rejects list --reason malformed.',
  'implausible-time': 'A clock that was never set, or another unit: set unit of source.fields.timestamp.',
  'missing-device-id': OTHER_FIELD,
  'bad-device-id':
    'An id is a text of 1 to 256 characters without a byte-order mark before it, or for the ingest worker a whole number.',
  'missing-timestamp': OTHER_FIELD,
  'bad-timestamp':
    'A time is ISO 8601 or a number of milliseconds; for another unit set unit of source.fields.timestamp.',
  'bad-record-timestamp':
    'record_timestamp is a time as timestamp is; leave it out where it is something else.',
  'bad-label': 'A label is true or false, 1 or 0; name another path for it in source.fields.',
  'missing-*':
    'Messages of another kind are nothing to mend; else name the path of the target in source.fields.',
  'bad-*': 'A reading is a number, or for the ingest worker a text of one.',
  'out-of-range': 'Beyond min or max of the sensor: widen them where such readings are right.',
  'sentinel-value':
    'A number that the sensor has under missing: nothing to mend where it means "no reading".',
  'session-lost':
    'The MQTT server keeps no sessions over its restarts, or another client has taken our client id: turn its persistence on, and give each fleet a name of its own.',
  'no-readings': 'The message has no field or array where source.wide or source.each looks for readings.',
  'not-an-object': 'A message is a JSON object; for an array of readings set source.each to /.',
  'not-json': 'A message is JSON; other formats are not read.',
  'not-utf8': 'JSON is UTF-8: mend the encoding of whatever sends it.',
  empty: 'A record without a value: nothing to mend.',
  'too-large': 'Send smaller messages: one event is at most 64 KiB.',
  'nested-too-deep': 'Send flatter messages.',
  'duplicate-key': 'A field stands twice in one message: mend whatever sends it.',
  'forbidden-key':
    'A field is called __proto__, constructor or prototype, which no event may have: mend whatever sends it.',
  'over-limit':
    'More devices or readings in a window than one partition holds: use more partitions or shorter windows.',
  'undecodable-batch':
    'A batch of the topic that cannot be read: the header remedy of its record in edge-iiot-rejects says what to do.',
};

/** What helps against rejects, as one sentence; undefined for a reason of another release. A hint may stand behind the reason. */
export function remedyOf(detail: string): string | undefined {
  const reason = reasonOfDetail(detail);
  const known: Readonly<Partial<Record<string, string>>> = REMEDIES;
  return known[reason] ?? known[reason.replace(/^(missing|bad)-[a-z][a-z0-9_]*$/, '$1-*')];
}
