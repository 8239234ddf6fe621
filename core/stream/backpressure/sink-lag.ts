import { type PartitionOffsets, type Position } from '../../platform/kafka';
import { SINK_LAG_PAUSE_BLOCKS, SINK_LAG_RESUME_BLOCKS } from '../limits';

/** Blocks by source partition that a warehouse has yet to store. */
export type SinkLag = ReadonlyMap<number, number>;

/** How far the log of a topic of blocks reaches, and how far one warehouse has stored it. */
interface StoredSoFar {
  readonly ends: readonly PartitionOffsets[];
  /** Only of partitions of which it has stored something. */
  readonly stored: readonly Position[];
}

/**
 * Lag by partition of the warehouse that is furthest behind. A warehouse that has stored nothing of a partition yet does not count: it may
 * have just started, over a log of a year.
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

/** Partitions to pause, given those that are paused already: between the two bounds nothing changes. */
export function partitionsToPause(lag: SinkLag, paused: ReadonlySet<number>): ReadonlySet<number> {
  const behind = [...lag].filter(([partition, blocks]) =>
    paused.has(partition) ? blocks > SINK_LAG_RESUME_BLOCKS : blocks > SINK_LAG_PAUSE_BLOCKS,
  );
  return new Set(behind.map(([partition]) => partition));
}
