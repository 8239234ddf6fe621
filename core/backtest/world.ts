import { type SelectableDevice } from '../federation/panels/selection';
import { type Samples } from '../federation/training/samples';
import { type TrainingRows } from '../federation/training/training-rows';

/** What rounds need of a fleet's past. Windows are numbered along the grid of time. */
export interface RoundWorld {
  readonly devices: readonly SelectableDevice[];
  /** The site that reports for a device, from 0; left out: one site for all. */
  readonly siteOf?: (deviceId: string) => number;
  /** Rows of the devices' training windows up to and including window `until`. */
  trainingRows(deviceIds: readonly string[], until: number): TrainingRows;
  /** Samples of the devices' `windows` windows up to and including window `until`. */
  samples(until: number, windows: number, deviceIds: readonly string[]): Samples;
}
