import { type SiteDescription } from '../core/contracts/steps';
import { countGroups } from '../core/federation/selection';
import { type WindowRing } from '../core/federation/site-data';
import { addRow, emptyFeatureSums, writeFeatures, type FeatureSums } from '../core/model/features';
import { FEATURES } from '../core/model/types';
import { type Site } from './shared/site';

/** One silent device in a hundred must not hold a round back at an old window. */
const SHARE_OF_DEVICES = 0.99;

/** What a round must know of a site before it can select: how many devices, and the newest window that nearly all have closed. */
export async function describeSite(
  site: Site,
  { withFeatureSums }: { readonly withFeatureSums: boolean },
): Promise<SiteDescription> {
  const { store } = site.dependencies;
  await store.sync();
  const devices = store.devices();
  return {
    site: site.dependencies.site,
    devices: devices.length,
    groups: store.groupsAreShared ? Object.fromEntries(countGroups(devices)) : null,
    latestWindow: store.ring.latestCommonWindow(SHARE_OF_DEVICES) ?? null,
    featureSums: withFeatureSums ? sumFeatures(store.ring) : null,
  };
}

/** Additive sums of every feature over all that the site remembers: no reading can be told from them. */
function sumFeatures(ring: WindowRing): FeatureSums {
  const sums = emptyFeatureSums();
  const row = new Float32Array(FEATURES);
  for (const deviceId of ring.devices()) {
    const until = ring.newestWindow(deviceId);
    if (until === undefined) continue;
    const series = ring.seriesUntil(deviceId, until, ring.capacity);
    for (let latest = 0; latest < ring.capacity; latest += 1) {
      if (writeFeatures(series, latest, row, 0)) addRow(sums, row, 0);
    }
  }
  return sums;
}
