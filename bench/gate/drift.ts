import { DriftWatch } from '../../core/federation/drift/watch';
import { WATCHED_WINDOWS, type RecordedFleet } from './record';
import { movedTo, seriesOf, type PairedSeries } from './series';

/** A worsening that a fleet's operator wants to hear of, in accuracy, and within how many windows. */
export const WORSENING = -0.05;
export const FOUND_WITHIN = 60;
/** Windows after which it comes, in turn. */
const ONSETS = [60, 120, 170];

export interface DriftCount {
  readonly devices: number;
  readonly windows: number;
  /** Alarms for the worse, though nothing had changed. */
  readonly falseAlarms: number;
  readonly worsenings: number;
  /** Of them: those that set off an alarm in time. */
  readonly found: number;
}

/**
 * Watch each fleet's last champion beside persistence, as live checks do: on windows in which nothing changed, and on the same ones with a champion that is
 * worse from some window on.
 */
export function watchForDrift(fleets: readonly RecordedFleet[], devices: number): DriftCount {
  let falseAlarms = 0;
  let found = 0;
  let worsenings = 0;
  for (const fleet of fleets) {
    const champion = fleet.pairs.at(-1)?.candidate;
    if (champion === undefined) continue;
    const places = Int32Array.from({ length: Math.min(devices, fleet.clusters.length) }, (_, place) => place);
    const series = seriesOf(fleet, places, { candidate: champion, champion: fleet.persistence });
    falseAlarms += alarmsIn(series, WATCHED_WINDOWS, 0).length;
    for (const onset of ONSETS) {
      worsenings += 1;
      const alarms = alarmsIn(series, onset, WORSENING);
      if (alarms.some((window) => window >= onset && window < onset + FOUND_WITHIN)) found += 1;
    }
  }
  return { devices, windows: fleets.length * WATCHED_WINDOWS, falseAlarms, worsenings, found };
}

/** Windows of the alarms for the worse, with a champion that is better by `change` from `onset` on. */
function alarmsIn(series: PairedSeries, onset: number, change: number): readonly number[] {
  const changed = movedTo(series, series.trueChange + change, onset, WATCHED_WINDOWS - onset);
  return new DriftWatch()
    .follow([...series.windows.slice(0, onset).flat(), ...changed])
    .filter((alarm) => alarm.change === 'worse')
    .map(({ window }) => window);
}
