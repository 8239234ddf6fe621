import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { type FeatureSums, type SiteDescription } from '../core/contracts/site-reports';
import { type RoundRef, type SiteSize } from '../core/contracts/steps';
import { featureCount } from '../core/contracts/task';
import { REPORTING_SHARE } from '../core/federation/constants';
import { countClusters } from '../core/federation/panels/selection';
import { type WindowRing } from '../core/federation/training/window-ring';
import { addRow, emptyFeatureSums, writeFeatures } from '../core/model/features';
import { fillHeldMeans } from '../core/model/held-means';
import { type Site } from './shared/site';
import { publishReports } from './shared/site-reports';

/** Devices summed without a pause: about a tenth of a second. */
const DEVICES_AT_ONCE = 500;

export interface DescribeSiteInput extends RoundRef {
  readonly withFeatureSums: boolean;
}

/** What a round must know of a site before it can select: the number of devices, and the newest window that nearly all have closed. */
export async function describeSite(
  site: Site,
  { round, attempt, withFeatureSums }: DescribeSiteInput,
): Promise<SiteSize> {
  const { store, producer, site: name } = site.dependencies;
  await store.sync();
  const devices = store.devices();
  const description: SiteDescription = {
    type: 'site',
    round,
    attempt,
    site: name,
    devices: devices.length,
    groups: store.clustersAreShared ? Object.fromEntries(countClusters(devices)) : null,
    latestWindow: store.ring.latestCommonWindow(REPORTING_SHARE) ?? null,
    featureSums: withFeatureSums ? await sumFeatures(store.ring) : null,
  };
  await publishReports(producer, [description]);
  return { site: name, devices: description.devices, latestWindow: description.latestWindow };
}

/**
 * Additive sums of every feature over all windows that the site remembers: no single reading can be recovered from them. A large site takes
 * a minute, so the loop pauses for other work and heartbeats.
 */
async function sumFeatures(ring: WindowRing): Promise<FeatureSums> {
  const { task } = ring;
  const sums = emptyFeatureSums(task);
  const row = new Float32Array(featureCount(task));
  for (const [index, deviceId] of ring.devices().entries()) {
    if (index % DEVICES_AT_ONCE === 0) {
      Context.current().heartbeat();
      await setImmediate();
      Context.current().cancellationSignal.throwIfAborted();
    }
    const until = ring.newestWindow(deviceId);
    if (until === undefined) continue;
    const series = ring.seriesUntil(deviceId, until, ring.capacity);
    fillHeldMeans(task, series);
    for (let latest = 0; latest < ring.capacity; latest += 1) {
      if (writeFeatures(task, series, latest, row, 0)) addRow(sums, row, 0);
    }
  }
  return sums;
}
