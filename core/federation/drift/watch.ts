import { type DriftAlarm } from '../../contracts/live-checks';
import { type PairedCluster } from '../promotion/cluster-interval';
import { Adwin, type AdwinOptions } from './adwin';
import { type MeanChange } from './mean-change';
import { PageHinkley, type PageHinkleyOptions } from './page-hinkley';

/**
 * Both detectors on one stream of paired errors: champion wrong − persistence wrong, from −1 to 1. Paired, because raw accuracy follows the
 * weather: on a shared clock it swings by five points from round to round with nothing the matter.
 */
export class DriftWatch {
  private readonly adwin: Adwin;
  private readonly pageHinkley: PageHinkley;

  constructor(options: { readonly adwin?: AdwinOptions; readonly pageHinkley?: PageHinkleyOptions } = {}) {
    this.adwin = new Adwin(options.adwin);
    this.pageHinkley = new PageHinkley(options.pageHinkley);
  }

  /** @returns the detectors that this value set off. */
  update(pairedError: number): Omit<DriftAlarm, 'window'>[] {
    const alarms: Omit<DriftAlarm, 'window'>[] = [];
    if (this.adwin.update(pairedError))
      alarms.push({ detector: 'adwin', change: meaning(this.adwin.change) });
    if (this.pageHinkley.update(pairedError))
      alarms.push({ detector: 'page-hinkley', change: meaning(this.pageHinkley.change) });
    return alarms;
  }

  /**
   * Take in the windows that have become complete, in order of window and stretch. The value is one a stretch and window: its devices see
   * the same weather, and as so many values they would pass for independent. In `clusters` the champion stands as the candidate and
   * persistence as the champion.
   */
  follow(clusters: readonly PairedCluster[]): DriftAlarm[] {
    return clusters.flatMap(({ windowStart: window, n, candidateCorrect, championCorrect }) =>
      this.update((championCorrect - candidateCorrect) / n).map((alarm) => ({ ...alarm, window })),
    );
  }
}

/** More errors beside persistence are worse. */
function meaning(change: MeanChange | null): DriftAlarm['change'] {
  return change === 'rise' ? 'worse' : 'better';
}
