/**
 * Every limit and constant of the fleet, each with its reason. Character and faults are those of the prototype
 * (closed-loop-recipe.md); none of them was chosen by looking at the sample data.
 */

/** Start of the first live window: fixed and in the past, so that every run is the same. The 361 windows of history before it begin at midnight. */
export const LIVE_START_ISO = '2024-01-01T03:00:30Z';

/** A fortnight of hourly windows to train on, the 24 lags of the first of them, and its own predecessor for a difference. */
export const HISTORY_WINDOWS = 361;

/** Lags that the stream worker needs to forecast at once: published as a snapshot. */
export const SNAPSHOT_WINDOWS = 24;

/** Grubbs' test needs 7 readings; 12 leave room for lost ones. 2,407 devices then send 28,884 events a window. */
export const MIN_READINGS = 12;
/** Readings are stamped in whole milliseconds and must not share one. */
export const MAX_READINGS_PER_SECOND = 100;

/** Gaps this short are jitter of the recording and are filled on a straight line; longer ones stay missing. */
export const SHORT_GAP_STEPS = 2;
/** A median spacing this close to whole hours, minutes or seconds is taken as them. */
export const STEP_TOLERANCE = 0.005;
/** A median spacing means little with fewer readings than this; such a series is left out. */
export const MIN_READINGS_OF_SERIES = 48;
/** A series spread thinner than this (steps per reading) has stray timestamps in it. */
export const MAX_SPARSITY = 64;
/** Series are held in memory: 1,000 series of four hourly years are 420 MB. Further ones are left out. */
export const MAX_SERIES = 1_000;

/** The thermal lag forgets: after 24 windows at the slowest lag (0.5) a 6·10⁻⁸ part of the past is left. */
export const LAG_MEMORY_WINDOWS = 24;

/** Slots are this much wider than a run, so that their starts can lie at different times of day. */
export const SLOT_SLACK = 0.1;
/** Three panels and the participants share no slot. */
export const MIN_SLOTS = 4;
/** A device may replay a slot of which at least this part was recorded. */
export const MIN_PRESENT = 0.9;

/** Thermal lag: part of the way to the recorded value that a device goes in one window. */
export const THERMAL_LAG = { from: 0.5, to: 1 } as const;
export const GAIN = { from: 0.9, to: 1.1 } as const;
/** Standard deviation of the offsets, and of the window means' noise, in °C. */
export const OFFSET_STDDEV = 2;
export const NOISE_STDDEV = 0.15;
/** Standard deviation of readings around their window's mean, in °C; every device has its own. */
export const SCATTER = { from: 0.1, to: 0.3 } as const;
/** The same for covariates, in their units: the last digits of a cheap sensor. One that is not named here scatters by `COVARIATE_SCATTER`. */
export const SCATTER_BY_SENSOR: Readonly<Record<string, number>> = { humidity: 0.3, pressure: 0.05 };
export const COVARIATE_SCATTER = 0.05;
/** Covariates that cannot read less or more than this. */
export const BOUNDS_BY_SENSOR: Readonly<Record<string, { readonly from: number; readonly to: number }>> = {
  humidity: { from: 0, to: 100 },
};

/** Faults, in °C where they are temperatures. */
export const STUCK_STDDEV = 0.01;
export const NOISY_STDDEV = 4;
export const NOISY_SCATTER = 2;
export const MILD_NOISE_STDDEV = 0.6;
export const MILD_GAIN = 1.2;
/** A spike moves the mean of a window this far (standard deviation), in this part of the windows … */
export const SPIKE_STDDEV = 6;
export const SPIKE_CHANCE = 0.01;
/** … and happens in this part of the window's readings, which go further for it. */
export const SPIKE_PART = 0.25;
/** A drifting clock starts up to so many windows off and goes wrong by up to so much of a window each window. */
export const CLOCK_OFFSET_WINDOWS = 1 / 3;
export const CLOCK_DRIFT = 1 / 60;
/** A device that sends twice does so with this chance a reading, so long after. */
export const DUPLICATE_CHANCE = 0.1;
export const DUPLICATE_DELAY_MILLIS = 40;
/** A device that sends late does so with this chance a reading, at most so many windows later: within the watermark and beyond it. */
export const LATE_CHANCE = 0.15;
export const LATE_WINDOWS = 4;

/** Part of a reading's own share of the window that is left to chance; the rest is the device's fixed phase. */
export const TIME_JITTER = 0.2;

/** Noise is drawn for so many windows at once: seeding costs as much as 60 draws. */
export const NOISE_BLOCK_WINDOWS = 32;

/** Scenarios: where the change comes (six rounds of six windows), and what part of the fleet it meets. */
export const CHANGE_WINDOW = 36;
export const HALF_OF_FLEET = 0.5;
export const RECALIBRATED_PART = 0.4;
export const RECALIBRATED_GAIN = 1.5;
/** `season`: the coldest and the warmest quarter of the slots. */
export const SEASON_PART = 0.25;

/** Messages in one produce request: with twice as many it took longer, measured. */
export const EVENTS_PER_SEND = 2_500;
/** How often a fleet that keeps to the wall clock sends what has become due. */
export const SEND_INTERVAL_MILLIS = 100;
/**
 * How far a fleet at full speed may be ahead of the stream workers: so many events, or so many windows where those are more. What lies
 * between is on the broker's disk, not in memory. Committed offsets are up to 10 s and a few windows behind what workers have read, so
 * that a tighter bound would make the fleet wait for nothing.
 */
export const MAX_EVENTS_AHEAD = 1_000_000;
export const MAX_WINDOWS_AHEAD = 30;
/** A look at the broker's offsets costs as much as sending a few hundred events: about one a window. */
export const EVENTS_BETWEEN_LOOKS = 25_000;
/** How often a fleet that waits for the stream workers looks again, and after how many looks (5 s) it warns. */
export const AHEAD_POLL_MILLIS = 50;
export const LOOKS_BEFORE_WARNING = 100;
/** Devices in one message of the history snapshot: about 100 KB. */
export const DEVICES_PER_SNAPSHOT_CHUNK = 250;
/** Reading back the last record of each partition is a matter of a second; longer means that the broker does not answer. */
export const LAST_RECORDS_TIMEOUT_MILLIS = 30_000;
/** How far back the fleet looks for its own last event in a partition, past what others have sent. */
export const READ_BACK_RECORDS = 1_000;
