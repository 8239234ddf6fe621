import { Adwin, type AdwinOptions } from './adwin';
import { PageHinkley, type PageHinkleyOptions } from './page-hinkley';

export type DriftDetector = 'adwin' | 'page-hinkley';

/**
 * Both detectors on one stream of paired errors: per device-window, champion wrong − persistence wrong (−1, 0 or 1). Paired, because raw accuracy
 * follows the weather: on a shared clock it swings by five points from round to round with nothing the matter.
 */
export class DriftWatch {
  private readonly adwin: Adwin;
  private readonly pageHinkley: PageHinkley;

  constructor(options: { readonly adwin?: AdwinOptions; readonly pageHinkley?: PageHinkleyOptions } = {}) {
    this.adwin = new Adwin(options.adwin);
    this.pageHinkley = new PageHinkley(options.pageHinkley);
  }

  /** @returns the detectors that this value set off. */
  update(pairedError: number): DriftDetector[] {
    const byAdwin = this.adwin.update(pairedError);
    const byPageHinkley = this.pageHinkley.update(pairedError);
    return [...(byAdwin ? (['adwin'] as const) : []), ...(byPageHinkley ? (['page-hinkley'] as const) : [])];
  }
}
