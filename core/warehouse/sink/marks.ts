import { type FenceBlock } from '../../contracts/blocks';
import { type Micros } from '../../contracts/time';

/** Position of a block among those of its partition, which are numbered by (window, ordinal). */
export interface Place {
  readonly windowStart: Micros;
  readonly ordinal: number;
  /** Whether it is the last of its window. */
  readonly last: boolean;
}

/** How far one partition of a topic of blocks is stored: the highest epoch seen, and the last place stored. */
export interface Mark {
  readonly epoch: number;
  readonly place: Place | null;
}

/** Stored now, stored before, or dropped. */
export type Judgement = 'stored' | 'stored-before' | 'older-epoch';

interface Judged {
  readonly judgement: Judgement;
  /** The mark afterwards. */
  readonly mark: Mark;
  /** The block is stored, and those of these windows that should stand before it never came. */
  readonly gap: MissingWindows | null;
}

/** Windows that start at `from` or later and end at `until` or before; the first of them may be there in part. */
export interface MissingWindows {
  readonly from: Micros;
  readonly until: Micros;
}

/** What a block says of where it stands. */
export interface BlockPlace extends Place {
  readonly windowEnd: Micros;
  /** End of the window that was written before it; null where it says none. */
  readonly after: Micros | null;
}

/**
 * Decide on one block. An older epoch than the highest seen is a worker that lost the partition: what it still writes is
 * dropped. A place at or before the mark is stored already: a newer epoch writes it again with the same rows, or Kafka
 * delivers it again. Such a block of a newer epoch still raises the epoch.
 */
export function judge(mark: Mark | undefined, epoch: number, block: BlockPlace): Judged {
  const { windowStart, ordinal, last } = block;
  const place = { windowStart, ordinal, last };
  if (mark !== undefined && epoch < mark.epoch) return { judgement: 'older-epoch', mark, gap: null };
  const stored = mark?.place ?? null;
  if (stored !== null && !isAfter(place, stored)) {
    return { judgement: 'stored-before', mark: { epoch, place: stored }, gap: null };
  }
  return { judgement: 'stored', mark: { epoch, place }, gap: missingBefore(block, stored) };
}

/**
 * A fence carries no rows: from here on in the log, blocks of older epochs are void.
 * @param reset windows behind `to` come once more, where the last stored one is `from`.
 */
export function fence(mark: Mark | undefined, epoch: number, reset?: FenceBlock['reset']): Mark {
  if (mark === undefined) return { epoch, place: null };
  if (epoch < mark.epoch) return mark;
  const isReset = reset !== undefined && mark.place?.windowStart === reset.from && mark.place.last;
  return { epoch, place: isReset ? { windowStart: reset.to, ordinal: 0, last: true } : mark.place };
}

function isAfter(place: Place, stored: Place): boolean {
  if (place.windowStart !== stored.windowStart) return place.windowStart > stored.windowStart;
  return place.ordinal > stored.ordinal;
}

/** The windows between what is stored and a block behind it; null where none is missing, as far as can be known. */
function missingBefore(block: BlockPlace, stored: Place | null): MissingWindows | null {
  const { windowStart, windowEnd, ordinal, after } = block;
  if (stored !== null && windowStart === stored.windowStart)
    return ordinal === stored.ordinal + 1 ? null : { from: windowStart, until: windowEnd };
  const width = windowEnd - windowStart;
  const until = ordinal === 0 ? (after ?? windowStart) : windowEnd;
  // Nothing is stored: how many windows were written before the one that the block names is not known.
  if (stored === null && ordinal === 0) return after === null ? null : { from: after - width, until: after };
  const from = stored === null ? windowStart : stored.windowStart + (stored.last ? width : 0);
  // Of windows that nobody wrote, because nothing came, a block that does not say what was before it knows nothing.
  const mayBeEmpty = ordinal === 0 && after === null && (stored?.last ?? true);
  return from < until && !mayBeEmpty ? { from, until } : null;
}

/**
 * Windows that start before the result are complete: the last block of them has come under every mark.
 * Negative infinity while nothing is known.
 */
export function completeBefore(marks: Iterable<Mark | undefined>): Micros {
  return earliest([...marks].map((mark) => boundOf(mark?.place ?? null)));
}

/** The earliest of bounds; negative infinity where there is none. */
export function earliest(bounds: readonly Micros[]): Micros {
  return bounds.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...bounds);
}

function boundOf(place: Place | null): Micros {
  if (place === null) return Number.NEGATIVE_INFINITY;
  return place.last ? place.windowStart + 1 : place.windowStart;
}
