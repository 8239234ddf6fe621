/** Bounds of the stream path that change no row, each with its reason; those that do are `ROW_LIMITS` (core/contracts/limits.ts). */

/** Readings of a device in one window up to which a late-comer's duplicate is looked for one by one, not in a set. */
export const MAX_READINGS_SCANNED = 64;

/** Bytes of a rejected record that are kept: a record as large as the broker takes would no longer fit beside its headers. */
export const MAX_REJECTED_BYTES = 512 * 1024;

/** Bytes of state in one message of a checkpoint: well under the broker's 1 MB. */
export const CHECKPOINT_PIECE_BYTES = 512 * 1024;

/** How often a partition writes its state: what a crash costs is reading about so many seconds of events again. */
export const CHECKPOINT_INTERVAL_MS = 10_000;

/**
 * A large fleet's state would be written more often than its events come in: 50,000 devices have 33 MB of it. So before the
 * next checkpoint so many times its bytes are read in events, or the longest interval passes.
 */
export const EVENTS_PER_STATE = 4;
export const MAX_CHECKPOINT_INTERVAL_MS = 60_000;

/** Bytes of results and rejects under way at which the partitions wait for the broker. */
export const OUTBOX_CAPACITY_BYTES = 32 * 1024 * 1024;

/** How often idle partitions and due checkpoints are looked for: the "one tick" that idle closing may take longer. */
export const TICK_MS = 500;

/** Longer than the group's heartbeat interval, so that the heartbeat after it really asks the broker. */
export const RECLAIM_AFTER_MS = 1_500;

/**
 * Blocks of results of one partition and topic that a living warehouse has yet to store when the partition is paused, and when it goes on.
 * They wait in Kafka's log and cost nobody memory; the bound is on how far the tables, and whoever decides by them, fall behind: half a
 * million rows of one partition, which the warehouse takes in within half a minute. A window of 2,407 devices is three blocks.
 */
export const SINK_LAG_PAUSE_BLOCKS = 2_000;
export const SINK_LAG_RESUME_BLOCKS = 1_000;

/** How often warehouses are looked at: six small requests to the broker; in two seconds at full speed come 50 blocks a partition. */
export const SINK_LOOK_MS = 2_000;
