/** Bounds of the stream path that change no row, each with its reason. Bounds that change rows are `ROW_LIMITS` (core/contracts/limits.ts). */

/** Up to so many readings of a device in one window, the duplicate of an event out of order is looked for one by one, not in a set. */
export const MAX_READINGS_SCANNED = 64;

/** Bytes of a rejected record that are kept: a record of the broker's largest size would not fit beside its headers. */
export const MAX_REJECTED_BYTES = 512 * 1024;

/** Bytes of state in one message of a checkpoint: well under the broker's 1 MB. */
export const CHECKPOINT_PIECE_BYTES = 512 * 1024;

/** How often a partition writes its state. After a crash about so many seconds of events are read again. */
export const CHECKPOINT_INTERVAL_MS = 10_000;

/**
 * A large fleet has much state (50,000 devices: 33 MB). The next checkpoint waits until events of so many times its bytes were read, or
 * the contract's longest interval has passed; otherwise more bytes of state would be written than of events read.
 */
export const EVENTS_PER_STATE = 4;

/** With more bytes of results and rejects under way the partitions wait for the broker. */
export const OUTBOX_CAPACITY_BYTES = 32 * 1024 * 1024;

/** How often idle partitions and due checkpoints are looked for. Idle closing comes at most one tick late. */
export const TICK_MS = 500;

/** Longer than the group's heartbeat interval, so that the heartbeat after it really asks the broker. */
export const RECLAIM_AFTER_MS = 1_500;

/**
 * Blocks of results of one partition and topic that a living warehouse has yet to store when the partition is paused, and when it is resumed.
 * They wait in Kafka's log and cost no memory; the bound is on how far the tables fall behind: half a million rows of one partition, which
 * the warehouse stores within half a minute. A window of 2,407 devices is three blocks.
 */
export const SINK_LAG_PAUSE_BLOCKS = 2_000;
export const SINK_LAG_RESUME_BLOCKS = 1_000;

/** How often the lag of warehouses is read: six small requests to the broker. At full speed a partition has 50 new blocks in two seconds. */
export const SINK_LOOK_MS = 2_000;
