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
  /** The block is stored, but one that should stand before it never came. */
  readonly gap: boolean;
}

/**
 * Decide on one block. An older epoch than the highest seen is a worker that lost the partition: what it still writes is
 * dropped. A place at or before the mark is stored already: a newer epoch writes it again with the same rows, or Kafka
 * delivers it again. Such a block of a newer epoch still raises the epoch.
 */
export function judge(mark: Mark | undefined, epoch: number, place: Place): Judged {
  if (mark === undefined) return { judgement: 'stored', mark: { epoch, place }, gap: place.ordinal !== 0 };
  if (epoch < mark.epoch) return { judgement: 'older-epoch', mark, gap: false };
  if (mark.place !== null && !isAfter(place, mark.place)) {
    return { judgement: 'stored-before', mark: { epoch, place: mark.place }, gap: false };
  }
  return { judgement: 'stored', mark: { epoch, place }, gap: !follows(place, mark.place) };
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

function follows(place: Place, stored: Place | null): boolean {
  if (stored !== null && place.windowStart === stored.windowStart)
    return place.ordinal === stored.ordinal + 1;
  return place.ordinal === 0 && (stored?.last ?? true);
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
