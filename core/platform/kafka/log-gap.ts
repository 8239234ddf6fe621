import { plainTopic } from '../../contracts/topics';

/**
 * Why a partition cannot be read on where it was.
 *
 * - `expired`: the topic has let go what stands from one offset up to another before it was read.
 * - `replaced`: the log is another one: the topic was deleted and made anew, or the broker has lost a part of it. Its records have offsets that were
 *   read before. `end`: where it ends, when that is known to be before what was read.
 */
export type LogGap =
  ExpiredRecords | { readonly kind: 'replaced'; readonly read: number; readonly end?: number };

export interface ExpiredRecords {
  readonly kind: 'expired';
  readonly from: number;
  readonly until: number;
}

/** Where the records of a fetch are from. */
export interface FetchedFrom {
  /** Offset that was asked for. It is not the next one when the broker does not have that: the library then begins with the first. */
  readonly from: number;
  /** Offset behind the last record. It alone proves nothing: after a change of leaders it can be too low for a while. */
  readonly highWatermark: number;
}

/** @param next offset that should have been read next. @returns undefined when it was. */
export function logGap(next: number, { from, highWatermark }: FetchedFrom): LogGap | undefined {
  if (from > next) return { kind: 'expired', from: next, until: from };
  if (from < next && highWatermark < next) return { kind: 'replaced', read: next, end: highWatermark };
  return undefined;
}

/** What happened and what to do, in one sentence. @param onReplaced what becomes of a log that is another one, and what to do. */
export function gapSentence(topic: string, partition: number, gap: LogGap, onReplaced: string): string {
  const place = `partition ${partition} of ${plainTopic(topic)}`;
  if (gap.kind === 'expired')
    return `${gap.until - gap.from} records of ${place} were gone before they were read; give the topic a retention longer than its readers are ever away`;
  if (gap.end === undefined)
    return `${place} is another log than the one that was read up to ${gap.read}, because the topic was deleted and made anew: ${onReplaced}`;
  return `${place} ends at offset ${gap.end}, but was read up to ${gap.read}, so it is another log: ${onReplaced}`;
}
