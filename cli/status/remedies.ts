import { type RejectReason } from '../../core/contracts/blocks';

/** What usually helps against events that the stream puts aside, by reason. */
const BY_REASON: Readonly<Record<RejectReason, string>> = {
  late: 'a longer watermark, or send sooner; import them as history',
  duplicate: 'sent twice: no harm; where readings differ, look for two devices with one id',
  future: 'set the clocks: of the devices, or of who stamps the records',
  malformed: 'look at one: fedloop sql "FROM rejected_rows WHERE reason = \'malformed\' LIMIT 1"',
};

/** The same of malformed events, by detail; the start of a detail stands for all that begin so. */
const BY_DETAIL: readonly (readonly [start: string, remedy: string])[] = [
  ['missing-device-id', 'name the field that has the id'],
  ['missing-timestamp', 'name the field that has the time'],
  ['missing-', 'name the field that has the target'],
  ['bad-timestamp', 'ISO 8601, or milliseconds since 1970'],
  ['bad-device-id', 'a text of 1 to 256 characters'],
  ['bad-', 'a number within the limits of a reading'],
  ['implausible-time', 'the unit of time: epoch seconds?'],
  ['too-large', 'send one reading a message'],
  ['empty', 'a tombstone, which no device should send'],
  ['not-', 'send one JSON object a message, in UTF-8'],
  ['over-limit', 'more partitions, or fewer readings a window'],
];

export function remedyFor(reason: string, detail: string | null): string | null {
  const known: Readonly<Partial<Record<string, string>>> = BY_REASON;
  const own = BY_DETAIL.find(([start]) => detail?.startsWith(start) === true);
  return own?.[1] ?? known[reason] ?? null;
}
