import { DriftWatch } from '../../core/federation/drift/watch';
import { WATCHED_WINDOWS, type RecordedFleet } from './record';
import { seriesOf } from './series';

export interface DriftCount {
  readonly devices: number;
  readonly windows: number;
  /** Alarms for the worse, though nothing had changed. */
  readonly falseAlarms: number;
}

/** Watch each fleet's last champion beside persistence, as live checks do, on windows in which nothing changed. */
export function watchForDrift(fleets: readonly RecordedFleet[], devices: number): DriftCount {
  let falseAlarms = 0;
  for (const fleet of fleets) {
    const champion = fleet.pairs.at(-1)?.candidate;
    if (champion === undefined) continue;
    const places = Int32Array.from({ length: Math.min(devices, fleet.clusters.length) }, (_, place) => place);
    const { windows } = seriesOf(fleet, places, { candidate: champion, champion: fleet.persistence });
    const alarms = new DriftWatch().follow(windows.flat());
    falseAlarms += alarms.filter(({ change }) => change === 'worse').length;
  }
  return { devices, windows: fleets.length * WATCHED_WINDOWS, falseAlarms };
}
