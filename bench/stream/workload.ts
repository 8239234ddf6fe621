import { statfs } from 'node:fs/promises';
import { FedloopError } from '../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { deviceIdSchema, type DeviceId } from '../../core/contracts/ids';
import { MICROS_PER_MILLI, MICROS_PER_SECOND } from '../../core/contracts/time';
import { partitionOf } from '../../core/platform/kafka';

/** What goes into the topic. */
export interface Workload {
  readonly events: number;
  readonly devices: number;
  /** Events a second of event time, of all devices together. */
  readonly rate: number;
  readonly partitions: number;
  /** When the first event arrives, in milliseconds since 1970: on the grid of windows. */
  readonly startMillis: number;
}

/** Windows and watermark are the product's defaults: 30 s and 1 minute. */
export const SETTINGS = DEFAULT_STREAM_SETTINGS;

/** A fixed past, so that every run fills the same topic. */
export const FILL_START_MILLIS = Date.UTC(2026, 0, 1);

/** Events come up to so late after their time; each device has a delay of its own, so that the log is out of order. */
export const MAX_DELAY_MILLIS = 2_000;

/** Events of a topic whose number was not given: the reference fleet sends for 1,000 s. */
const USUAL_EVENTS = 12_000_000;

/** Windows that close at least, where the number of events was not given: a fast fleet has sent so many events by then. */
const MIN_WINDOWS = 6;

/** Events that a fleet sends until so many of its windows have closed in every partition. */
function eventsUntilClosed(windows: number, rate: number): number {
  const { task, watermarkMicros } = SETTINGS;
  const micros = windows * task.windowMicros + watermarkMicros + MAX_DELAY_MILLIS * MICROS_PER_MILLI;
  return Math.ceil((rate * micros) / MICROS_PER_SECOND);
}

/**
 * Events to fill a topic with.
 * @param asked undefined = 12 million, or more where a fleet of that rate has not closed a few windows with as many.
 * @throws FedloopError `InvalidInput` when no window closes with as many: there would be nothing to measure.
 */
export function eventsFor(asked: number | undefined, rate: number): number {
  if (asked === undefined) return Math.max(USUAL_EVENTS, eventsUntilClosed(MIN_WINDOWS, rate));
  const min = eventsUntilClosed(1, rate);
  if (asked >= min) return asked;
  throw new FedloopError(
    'InvalidInput',
    `${count(asked)} events at ${count(rate)} a second are ${count(Math.floor(asked / rate))} s of event time, and no window closes in it`,
    { hint: `Ask for at least ${count(min)} events, or leave --events out.` },
  );
}

/** What an event takes in the log, record and index included; rows and warehouse on top of it. */
const BYTES_PER_EVENT = 160;

/**
 * Topics of all workloads lie side by side while the benchmark runs.
 * @param folder where servers of its own would keep them.
 * @throws FedloopError `InvalidInput` when they do not fit.
 */
export async function assertRoom(folder: string, workloads: readonly Workload[]): Promise<void> {
  const needed = BYTES_PER_EVENT * workloads.reduce((sum, { events }) => sum + events, 0);
  const { bavail, bsize } = await statfs(folder);
  if (needed <= bavail * bsize) return;
  throw new FedloopError(
    'InvalidInput',
    `the topics take ${gigabytes(needed)}, and ${folder} has ${gigabytes(bavail * bsize)} left`,
    { hint: 'Ask for fewer events or devices, or set TMPDIR to a folder with more room.' },
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

/** Ids as a fleet of up to a million devices would have them. */
export function deviceIds(devices: number): readonly DeviceId[] {
  return Array.from({ length: devices }, (_, device) =>
    deviceIdSchema.parse(`sensor-${String(device).padStart(6, '0')}`),
  );
}

/** Partition of each device. */
export function partitionsOf(ids: readonly DeviceId[], partitions: number): Uint16Array {
  return Uint16Array.from(ids, (id) => partitionOf(id, partitions));
}

/** Stands beside every result, so that nobody takes the figure for more than it is. */
export const LEFT_OUT = [
  'Timed, fedloop: from the first partition claimed to the last row readable in DuckDB. Everything the workers do is in it: parsing, verdicts, windows, Z-scores, forecasts and evaluation of two versions, results through Kafka, checkpoints, DuckDB, feedback.',
  'Timed, raw: from joining the group to the last message parsed. Timed, spark: from the start of the query to its end (every event read, every window but the open ones written).',
  'Left out: starting processes (shown as set-up), filling the topic. The topic is warm in the page cache for everybody.',
  'Broker, workers and this benchmark share one machine; there is no network and no replication.',
] as const;
