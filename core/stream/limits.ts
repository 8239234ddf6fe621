import { LAGS } from '../model/types';

/** Bounds and constants of the stream path, each with its reason. Changing one changes rows: `verify` needs the same ones. */

/** A sensor's event has about 150 bytes; one far beyond that is a mistake or an attack, and is not worth parsing. */
export const MAX_EVENT_BYTES = 64 * 1024;

/** Containers inside containers in one event: real ones have two or three. */
export const MAX_EVENT_DEPTH = 16;

/** As `deviceIdSchema` has it: characters (UTF-16 units) of a device id. */
export const MAX_DEVICE_ID_LENGTH = 256;

/** Beyond this a square no longer fits a double, and a mean or a deviation would become Infinity. */
export const MAX_READING = 1e150;

/** |Z| above which a reading counts as an outlier of its window. */
export const OUTLIER_Z = 2.5;

/** Two-sided significance of Grubbs' test, and the fewest readings that it is asked about. */
export const GRUBBS_ALPHA = 0.001;
export const GRUBBS_MIN_READINGS = 7;

/** How far from the forecast, in its standard deviations, a reading makes the window a predicted anomaly. */
export const PREDICTED_ANOMALY_Z = 2.5;

/** A mean that moved by more than this share of the tolerance is `rising` or `falling`. */
export const REGIME_SHARE_OF_TOLERANCE = 0.5;

/** Windows kept of a device: the 24 lags and the one before them, whose difference to the oldest lag is a feature. */
export const HISTORY_WINDOWS = LAGS + 1;

/**
 * Distinct devices in one window of one partition. 100,000 ids flooding in are let through and measured; a flood ten
 * times that is not. About 250 bytes each.
 */
export const MAX_DEVICES_PER_WINDOW = 250_000;

/** Readings in one window of one partition: 64 MB, 140,000 events/s with windows of 30 s. */
export const MAX_READINGS_PER_WINDOW = 4_194_304;

/** Devices of one partition whose lags are kept: about 800 bytes each. Others get window rows, but no forecasts. */
export const MAX_DEVICES_WITH_HISTORY = 100_000;

/**
 * Windows of one partition open at once. Watermark ÷ window decides how many there are; settings that ask for more are
 * refused, for each one has a price in memory.
 */
export const MAX_OPEN_WINDOWS = 10_000;

/** Empty windows in a row that are written one by one; after a longer gap only the last is. */
export const MAX_EMPTY_WINDOWS_WRITTEN = 120;

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
