import { DRIFT_DETECTORS, type DriftAlarm } from '../../contracts/live-checks';
import { type PairedCluster } from '../promotion/cluster-interval';
import { Adwin } from './adwin';
import { type Detector } from './detector';
import { PageHinkley } from './page-hinkley';

type DetectorName = DriftAlarm['detector'];
const DETECTORS: Readonly<Record<DetectorName, new () => Detector>> = {
  adwin: Adwin,
  'page-hinkley': PageHinkley,
};

/**
 * Both detectors on one stream of paired errors: champion wrong − persistence wrong, from −1 to 1. Paired, because raw accuracy follows the
 * weather: on a shared clock it swings by five points from round to round when nothing is wrong.
 */
export class DriftWatch {
  private readonly detectors = new Map<DetectorName, Detector>(
    DRIFT_DETECTORS.map((name) => [name, new DETECTORS[name]()]),
  );

  /** @returns an alarm of each detector that this value set off: more errors beside persistence are worse. */
  update(pairedError: number): Omit<DriftAlarm, 'window'>[] {
    return [...this.detectors].flatMap(([name, detector]) => {
      const change = detector.update(pairedError);
      if (change === null) return [];
      this.detectors.set(name, new DETECTORS[name]());
      return [{ detector: name, change: change === 'rise' ? 'worse' : 'better' }];
    });
  }

  /**
   * Follow windows that have become complete, in order of window and cluster. A cluster gives one value a window: its devices see the same
   * weather, so they are not independent. In `clusters` the champion stands as the candidate and persistence as the champion.
   */
  follow(clusters: readonly PairedCluster[]): DriftAlarm[] {
    return clusters.flatMap(({ windowStart: window, n, candidateCorrect, championCorrect }) =>
      this.update((championCorrect - candidateCorrect) / n).map((alarm) => ({ ...alarm, window })),
    );
  }
}
