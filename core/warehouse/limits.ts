import { MAX_CHECKPOINT_INTERVAL_MS } from '../contracts/checkpoints';

/** Limits of the warehouse, each with its reason. */

/** DuckDB's own share of memory: all Node processes together stay under 2 GB, and what does not fit spills to disk. */
export const MEMORY_LIMIT = '512MB';

/**
 * A query reads the file and its log anew, a third of a second of processor time a megabyte of small commits. DuckDB's own 16 MB would keep a
 * small fleet's queries waiting for seconds; a checkpoint of some 75 MB of tables takes a tenth of one.
 */
export const CHECKPOINT_THRESHOLD = '2MB';

/** Counting 20 million rows groups into a few megabytes; the rest is read buffers of two threads. */
export const BATCH_MEMORY_LIMIT = '768MB';

/** DuckDB's vector: a data chunk holds at most so many rows. */
export const ROWS_PER_CHUNK = 2_048;

/** Raw bytes stored of a rejected event or row: enough to see what is wrong, too little for a megabyte message to hurt. */
export const MAX_RAW_BYTES = 1_000;

/** Characters stored of why something was rejected or put aside: a sentence, never a message of its own. */
export const MAX_DETAIL_CHARACTERS = 1_000;

/** How far behind its block's own time a window may start, where the events themselves are gone: brokers take stamps an hour ahead. */
export const MAX_WINDOW_AHEAD_MICROS = 3_600_000_000;

/** Attempts at a transaction that fails, before its records are stored apart: a conflict with another transaction passes. */
export const STORE_ATTEMPTS = 3;

/** Pause between them. */
export const STORE_RETRY_MS = 100;

/** Pause before rows are stored again that found the disk full: short, because a person who has made space looks whether it helped. */
export const MACHINE_RETRY_MS = 1_000;

/** Between two looks whether a topic is still the log that is stored: what is read of another one meanwhile is read again. */
export const LOG_ID_MS = 5_000;

/** Rejected rows of one file that are stored with their line; all of them are counted anyway. */
export const MAX_REJECTED_DETAILS_PER_FILE = 10_000;

/** Rows of a file that decide which of its columns are numeric. */
export const SENSOR_SAMPLE_ROWS = 10_000;

/** A column is a sensor when at least this share of its filled cells in the sample are numbers. */
export const SENSOR_NUMERIC_SHARE = 0.5;

/** More columns than this is not a file of readings. */
export const MAX_COLUMNS = 1_000;

/** Devices named in a feedback: a person reads them. */
export const WORST_DEVICES = 10;

/** Devices in one `device-feedback` message, by its contract. */
export const DEVICES_PER_FEEDBACK = 1_000;

/** Versions that have metrics: those in force and the latest others, so that labels don't grow for ever. */
export const VERSIONS_WITH_METRICS = 12;

/** Rows that a query gets unless it wants fewer. */
export const MAX_SQL_ROWS = 100_000;

/** A longer text is no query of a person. */
export const MAX_SQL_BYTES = 100_000;

/** Bytes of an answer: twice a page of rows of `verify`, and few enough to copy without delaying the sink. */
export const MAX_ANSWER_BYTES = 24_000_000;

/** A query that runs longer is ended. Counting 100 million rows takes a few seconds. */
export const SQL_TIMEOUT_MS = 30_000;

/** Queries at once, each in a process of its own; one more is refused, or waits for `READER_WAIT_MS`. */
export const MAX_READERS = 4;

/** Short queries are over by then; long ones would make the next wait for nothing. */
export const READER_WAIT_MS = 10_000;

/** DuckDB's memory for one query; sorts and joins that need more spill to disk. */
export const READER_MEMORY_LIMIT = '128MB';

/** Disk for what spills, so that a query cannot fill the disk that the sink writes to. */
export const READER_SPILL_LIMIT = '1GB';

/** Data of one reader: Node takes 110 MB, DuckDB's limit is 128 MB, an answer takes three times its size. The system refuses more. */
export const READER_DATA_KB = 400_000;

/** Resident memory of all readers: with the analytics worker's own it stays under what a small machine has. The largest is ended. */
export const ALL_READERS_BYTES = 850_000_000;

/** A reader has 95 MB after a small query. One with more than this is not used again: the next query may want the memory. */
export const REUSED_READER_BYTES = 180_000_000;

/** A reader can take 50 MB in this time. */
export const READER_LOOK_MS = 25;

/** The scheduler prefers the sink and the stream to a reader. */
export const READER_NICENESS = 5;

/**
 * Processor time, the start of the process (0.5 s) with it. A query of a person or a report is over by then; one that is not gets only
 * what all others leave (the lowest priority). Not time of day: on a busy machine that would hit short queries as well.
 */
export const READER_DEMOTED_AFTER_MS = 1_500;

/** A reader without queries for so long ends; starting one takes a few hundred milliseconds. */
export const READER_IDLE_MS = 60_000;

/** DuckDB wrote the file anew so often while one query ran. Usual is once in minutes, and a query takes less than a second. */
export const MAX_SNAPSHOTS = 5;

/** Bytes of records that go into one transaction: about 100,000 rows of blocks. */
export const MAX_BYTES_PER_TRANSACTION = 12_000_000;

/** Partitions worked on at once, so that many blocks share a transaction. */
export const INTAKE_CONCURRENCY = 16;

/** Group offsets show others the warehouse's lag; a request to the broker for each block would cost more than the block. */
export const OFFSET_COMMIT_INTERVAL_MS = 500;

/** Scrapes within this time share one reading of the tables. */
export const METRICS_MIN_INTERVAL_MS = 1_000;

/** A reading is followed by a pause of so many times its duration: metrics use about 5 % of DuckDB’s time. */
export const METRICS_PAUSE_FACTOR = 20;

/** The pause is no longer than this, however slow the reading was: a figure older than a scrape or two misleads. */
export const METRICS_MAX_PAUSE_MS = 10_000;

/** Rounds that have metrics of their own: what fits on one screen. */
export const ROUNDS_WITH_METRICS = 20;

/** Sites whose contributions have metrics: a round runs its strategy without at most so many. */
export const SITES_WITH_METRICS = 12;

/** Windows over which single devices are compared: one window would make each right or wrong. Part of a migration: fixed. */
export const DEVICE_WINDOWS = 24;

/** Bands of equal width that devices are sorted into by their accuracy. */
export const ACCURACY_BANDS = 5;

/** Longest line of a CSV file that is parsed; DuckDB's own default. */
export const MAX_LINE_BYTES = 2_000_000;

/** Files whose counts go into one transaction: one commit for a folder of many small files. */
export const FILES_PER_TRANSACTION = 64;

/** A partition with events delivers its first block within the watermark's delay and the idle time-out; see Completeness. */
export const MAX_FIRST_BLOCK_WAIT_MS = 45_000;

/** A stream worker says up to where it has read with each checkpoint, which takes some seconds to arrive on a busy machine. */
export const READ_WITHIN_MS = MAX_CHECKPOINT_INTERVAL_MS + 30_000;

/** A partition that still delivers is waited for, unless its times are of another day: then its clocks are wrong. */
export const ALIVE_BUT_BEHIND_MICROS = 86_400_000_000;

/** How often the number of partitions is read: a partition that was added delivers its first blocks later than that. */
export const PARTITIONS_LOOK_MS = 10_000;

/** How often it is looked whether DuckDB's log is whole: two questions to the file system. Readers answer without what it held meanwhile. */
export const LOG_WATCH_MS = 1_000;

/** Old rows are deleted in steps of an hour of event time: a delete costs the same for one window as for a hundred. */
export const RETENTION_STEP_MICROS = 3_600_000_000;

/** Devices, or one in a hundred where that is more, that must have reached a time before rows are too old for it. */
export const RETENTION_QUORUM = 3;

/**
 * Windows that are kept however old they are: more than a round and the checks on a champion are measured on by default. With windows of a week a
 * month of retention would leave four.
 */
export const KEPT_WINDOWS = 64;

/** Windows of event time that the states of devices look back on: as many as sites remember. Part of a migration: fixed. */
export const DEVICE_STATE_WINDOWS = 400;

/** A round stores its record seconds after its promotion; with time for a worker that starts anew and tries again. */
export const ROUND_RECORDED_WITHIN_MINUTES = 15;

/** The latest rejected events among which devices are sought that are never in time. Part of a migration: fixed. */
export const LATE_EVENTS_SEARCHED = 100_000;
