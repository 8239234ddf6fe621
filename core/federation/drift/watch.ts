import { DRIFT_DETECTORS, type DriftAlarm } from '../../contracts/live-checks';
import { type Micros } from '../../contracts/time';
import { DRIFT_BASELINE, WINDOW_ADWIN, WINDOW_PAGE_HINKLEY } from '../constants';
import { type PairedCluster } from '../promotion/cluster-interval';
import { Adwin } from './adwin';
import { type Detector, type MeanChange } from './detector';
import { PageHinkley } from './page-hinkley';
import { WindowBaseline, type WindowShares } from './window-baseline';

type DetectorName = DriftAlarm['detector'];
/** ADWIN's bound is for values on a range of 1. */
const TO_RANGE_OF_ONE = 1 / (2 * DRIFT_BASELINE.largest);
const DETECTORS: Readonly<Record<DetectorName, () => Detector>> = {
  adwin: () => new Adwin(WINDOW_ADWIN),
  'page-hinkley': () => new PageHinkley(WINDOW_PAGE_HINKLEY),
};
const SCALES: Readonly<Record<DetectorName, number>> = { adwin: TO_RANGE_OF_ONE, 'page-hinkley': 1 };

/** One detector and the windows that it knows; both begin anew after an alarm. */
class WatchedDetector {
  private baseline = new WindowBaseline();
  private detector: Detector;

  constructor(private readonly name: DetectorName) {
    this.detector = DETECTORS[name]();
  }

  update(window: WindowShares): MeanChange | null {
    const excess = this.baseline.excess(window);
    const change = excess === null ? null : this.detector.update(excess * SCALES[this.name]);
    if (change === null) return null;
    this.baseline = new WindowBaseline();
    this.detector = DETECTORS[this.name]();
    return change;
  }
}

/**
 * Both detectors on one value a window, whatever the size of the fleet: how much more its champion erred than it used to, beside persistence. More values a window
 * would raise more alarms: devices see the same weather.
 */
export class DriftWatch {
  private readonly detectors = DRIFT_DETECTORS.map((name) => ({ name, watched: new WatchedDetector(name) }));

  /** @returns an alarm of each detector that this window set off. */
  update(shares: WindowShares): Omit<DriftAlarm, 'window'>[] {
    return this.detectors.flatMap(({ name, watched }) => {
      const change = watched.update(shares);
      return change === null ? [] : [{ detector: name, change: change === 'rise' ? 'worse' : 'better' }];
    });
  }

  /** Follow windows that have become complete, in order of time. In `clusters` the champion stands as the candidate and persistence as the champion. */
  follow(clusters: readonly PairedCluster[]): DriftAlarm[] {
    return windowsOf(clusters).flatMap(({ window, shares }) =>
      this.update(shares).map((alarm) => ({ ...alarm, window })),
    );
  }
}

/** The clusters of each window together, in the order in which the windows come. */
function windowsOf(
  clusters: readonly PairedCluster[],
): readonly { readonly window: Micros; readonly shares: WindowShares }[] {
  const sums = new Map<Micros, { n: number; champion: number; persistence: number }>();
  for (const { windowStart, n, candidateCorrect, championCorrect } of clusters) {
    const sum = sums.get(windowStart) ?? { n: 0, champion: 0, persistence: 0 };
    sum.n += n;
    sum.champion += candidateCorrect;
    sum.persistence += championCorrect;
    sums.set(windowStart, sum);
  }
  return [...sums].map(([window, { n, champion, persistence }]) => ({
    window,
    shares: { champion: champion / n, persistence: persistence / n },
  }));
}
