import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { deviceIdSchema, type DeviceId } from '../../core/contracts/ids';
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
