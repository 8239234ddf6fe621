/**
 * What helps against rejects, by their reason: a verdict (`late`) or why an event is malformed (`bad-timestamp`). Each is one sentence; a
 * reason that says it all has none.
 */
export function remedyOf(reason: string, target: string): string | undefined {
  if (reason === `missing-${target}`)
    return 'Messages of another kind are nothing to mend; else name the path of the target in source.fields.';
  if (reason === `bad-${target}`) return 'A reading is a number, or for the ingest worker a text of one.';
  return REMEDIES.get(reason) ?? REMEDIES.get(reason.replace(/-[a-z0-9_]+$/, '-*'));
}

const OTHER_FIELD = 'Name the path that messages have it under in source.fields.';

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['late', 'Their windows had closed: a longer watermark waits for them.'],
  [
    'duplicate',
    'Sent twice, or several at one instant of a coarse clock: duplicates: reading counts those that differ.',
  ],
  [
    'future',
    "Ahead of their Kafka records: mend the devices' clocks or time zones, or raise future where records are stamped early.",
  ],
  ['implausible-time', 'A clock that was never set, or another unit: set unit of source.fields.timestamp.'],
  ['far-ahead', 'One clock is far ahead of the other devices: mend it.'],
  ['missing-device-id', OTHER_FIELD],
  ['bad-device-id', 'An id is a text of 1 to 256 characters, or for the ingest worker a whole number.'],
  ['missing-timestamp', OTHER_FIELD],
  [
    'bad-timestamp',
    'A time is ISO 8601 or a number of milliseconds; for another unit set unit of source.fields.timestamp.',
  ],
  [
    'bad-record-timestamp',
    'record_timestamp is a time as timestamp is; leave it out where it is something else.',
  ],
  ['bad-label', 'A label is true or false, 1 or 0; name another path for it in source.fields.'],
  ['out-of-range', 'Beyond min or max of the sensor: widen them where such readings are right.'],
  ['missing-value', 'A number that the sensor has under missing.'],
  ['no-readings', 'The message has no field or array where source.wide or source.each looks for readings.'],
  ['not-an-object', 'A message is a JSON object; for an array of readings set source.each to /.'],
  ['not-json', 'A message is JSON; other formats are not read.'],
  ['not-utf8', 'JSON is UTF-8: mend the encoding of whatever sends it.'],
  ['empty', 'A record without a value: nothing to mend.'],
  ['too-large', 'Send smaller messages: one event is at most 64 KiB.'],
  ['nested-too-deep', 'Send flatter messages.'],
  [
    'forbidden-key',
    'A field is called constructor, prototype or __proto__: rename it, or let the ingest worker read the topic, by source.fields.',
  ],
  ['duplicate-key', 'A field stands twice in one message: mend whatever sends it.'],
  [
    'over-limit',
    'More devices or readings in a window than one partition holds: use more partitions or shorter windows.',
  ],
  ['bad-*', OTHER_FIELD],
]);
