import { type Row, type RowDifference } from './row-differences';

interface UnexpectedReject {
  readonly difference: RowDifference;
  readonly offset: number;
  readonly reason: unknown;
}

/** Source offsets of the events that are aside at the end of what was read, by partition. */
type Aside = readonly { readonly partition: number; readonly asideOffsets: readonly number[] }[];

/**
 * Rejects that are stored, and do not follow from what was read so far. An event that is aside at the end of it may have been refused since, as when
 * its partition fell quiet while the log was replayed: its reject is no difference, and the event still counts as aside.
 */
export class UnexpectedRejects {
  private readonly rejects: UnexpectedReject[] = [];

  /** @param found the stored rows among which it is. */
  add(difference: RowDifference, found: readonly Row[]): void {
    const offset = Number(difference.row['source_offset']);
    this.rejects.push({ difference, offset, reason: found.find(([place]) => place === offset)?.[1] });
  }

  settle(ends: Aside): {
    readonly differences: readonly RowDifference[];
    /** Partition and reason of those that were decided since. */
    readonly decidedSince: readonly { readonly partition: number; readonly reason: unknown }[];
  } {
    const aside = new Map(ends.map(({ partition, asideOffsets }) => [partition, new Set(asideOffsets)]));
    const isSince = ({ difference, offset }: UnexpectedReject): boolean =>
      aside.get(difference.partition)?.has(offset) === true;
    return {
      differences: this.rejects.filter((reject) => !isSince(reject)).map(({ difference }) => difference),
      decidedSince: this.rejects
        .filter(isSince)
        .map(({ difference: { partition }, reason }) => ({ partition, reason })),
    };
  }
}
