import { type UnmappedReading } from '../contracts/ingest';
import { type SensorName } from '../contracts/task';
import { type Micros } from '../contracts/time';

/** A message's readings in the fleet's own terms. */

export interface MappedReading {
  readonly deviceId: string;
  /** Event time. */
  readonly micros: Micros;
  /** The message's own `record_timestamp`, where it has one: in a file it stands for Kafka's. */
  readonly recordMicros: Micros | undefined;
  readonly label: boolean | undefined;
  /** In the task's order, the target first; NaN = not in the message. */
  readonly values: readonly number[];
  /** Covariates whose value was no reading: it costs that value alone. */
  readonly badValues: readonly SensorName[];
}

export interface MappedMessage {
  readonly readings: readonly MappedReading[];
  /** Never empty where there are no readings: nothing vanishes without a reason. */
  readonly rejects: readonly UnmappedReading[];
}
