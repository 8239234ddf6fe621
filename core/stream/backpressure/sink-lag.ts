import { type PartitionOffsets, type Position } from '../../platform/kafka';
import { SINK_LAG_PAUSE_BLOCKS, SINK_LAG_RESUME_BLOCKS } from '../limits';

/** Blocks by source partition that a warehouse has yet to store. */
export type SinkLag = ReadonlyMap<number, number>;

/** How far the log of a topic of blocks reaches, and how far one warehouse has stored it. */
export interface StoredSoFar {
  readonly ends: readonly PartitionOffsets[];
  /** Of partitions of which it has stored anything yet. */
  readonly stored: readonly Position[];
}

/**
 * Lag of whoever is furthest behind, by partition. A warehouse that has stored nothing of a partition yet says nothing of it: it may have
 * started this moment, over a log of a year.
 */
export function furthestBehind(states: readonly StoredSoFar[]): SinkLag {
  const lag = new Map<number, number>();
  for (const { ends, stored } of states) {
    for (const { partition, high } of ends) {
      const position = stored.find((candidate) => candidate.partition === partition);
      if (position === undefined) continue;
      lag.set(partition, Math.max(lag.get(partition) ?? 0, high - position.offset));
    }
  }
  return lag;
}

/** Partitions to hold back, given those that are held back already: between the two bounds everything stays as it is. */
export function heldBack(lag: SinkLag, before: ReadonlySet<number>): ReadonlySet<number> {
  const held = [...lag].filter(([partition, blocks]) =>
    before.has(partition) ? blocks > SINK_LAG_RESUME_BLOCKS : blocks > SINK_LAG_PAUSE_BLOCKS,
  );
  return new Set(held.map(([partition]) => partition));
}
