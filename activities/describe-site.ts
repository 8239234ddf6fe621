import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { FIRST_VERSION } from '../core/contracts/ids';
import { type FeatureSums, type SiteDescription } from '../core/contracts/site-reports';
import { type SiteReadinessReport } from '../core/contracts/readiness';
import { trainingSettingsSchema } from '../core/contracts/rounds';
import { sentIn, type RoundRef, type SiteReadinessInput, type SiteSize } from '../core/contracts/steps';
import { countClusters } from '../core/federation/panels/selection';
import { featuresOf, typicalSums } from '../core/federation/training/feature-sums';
import { quorumOf, readinessOf, type WaitsFor } from '../core/federation/training/quorum';
import { type WindowRing } from '../core/federation/training/window-ring';
import { type Site, type SiteDependencies } from './shared/site';
import { publishReports } from './shared/site-reports';

/** Devices summed without a pause: about a tenth of a second. */
const DEVICES_AT_ONCE = 500;

export interface DescribeSiteInput extends RoundRef {
  readonly withFeatureSums: boolean;
  /** Targets that the round trains on; its default where a running workflow does not say. */
  readonly trainingWindows?: number;
}

/**
 * What a round must know of a site before it can select: the number of devices that send, the newest window that nearly all of them have
 * closed, and how far they are on their way to a round.
 */
export async function describeSite(
  site: Site,
  { withFeatureSums, trainingWindows = trainingSettingsSchema.parse({}).windows, ...ref }: DescribeSiteInput,
): Promise<SiteSize> {
  const { store, producer, site: name } = site.dependencies;
  await store.sync();
  const quorum = quorumOf(store.ring);
  const sending = new Set(quorum.sending);
  const devices = store.devices().filter(({ deviceId }) => sending.has(deviceId));
  const description: SiteDescription = {
    type: 'site',
    ...sentIn(ref, 'describe'),
    site: name,
    devices: devices.length,
    groups: store.clustersAreShared ? Object.fromEntries(countClusters(devices)) : null,
    latestWindow: quorum.until ?? null,
    readiness: await readinessOf(
      store.ring,
      quorum,
      trainingWindows,
      pauseNowAndThen,
      waitsFor(site.dependencies),
    ),
    featureSums: withFeatureSums ? await sumFeatures(store.ring, quorum.sending) : null,
  };
  await publishReports(producer, [description]);
  return { site: name, devices: description.devices, latestWindow: description.latestWindow };
}

/** How far this site's devices are on their way to a round, as of now. */
export async function siteReadiness(
  { dependencies }: Site,
  { trainingWindows }: SiteReadinessInput,
): Promise<SiteReadinessReport> {
  await dependencies.store.sync();
  return readinessReport(dependencies, trainingWindows, pauseNowAndThen);
}

/** The same outside of an activity, of the windows that have been read. */
export async function readinessReport(
  { deployments, store: { ring } }: Pick<SiteDependencies, 'deployments' | 'store'>,
  trainingWindows: number,
  pause: (device: number) => Promise<void> | undefined,
): Promise<SiteReadinessReport> {
  const { task, watermarkMicros, idleMillis } = deployments.settings();
  const { lags, windowMicros } = task;
  return {
    readiness: await readinessOf(ring, quorumOf(ring), trainingWindows, pause, waitsFor({ deployments })),
    settings: { task: { lags, windowMicros }, watermarkMicros, idleMillis },
  };
}

/** Once a trained version serves, devices that are new must not hold up the rounds of those that can train. */
function waitsFor({ deployments }: Pick<SiteDependencies, 'deployments'>): WaitsFor {
  return (deployments.champion()?.version ?? FIRST_VERSION) === FIRST_VERSION ? 'everyone' : 'trainable';
}

/** A large site takes long: let other work go on, report that it lives, and end when it is cancelled. */
function pauseNowAndThen(device: number): Promise<void> | undefined {
  return device % DEVICES_AT_ONCE === 0 ? pauseForOthers() : undefined;
}

async function pauseForOthers(): Promise<void> {
  Context.current().heartbeat();
  await setImmediate();
  Context.current().cancellationSignal.throwIfAborted();
}

/**
 * Additive sums of every feature over all windows that the site remembers of devices that send: no single reading can be recovered from them. A large site takes
 * a minute, so the loop pauses for other work and heartbeats.
 */
async function sumFeatures(ring: WindowRing, sending: readonly string[]): Promise<FeatureSums> {
  const sums: FeatureSums[] = [];
  for (const [index, deviceId] of sending.entries()) {
    await pauseNowAndThen(index);
    sums.push(featuresOf(ring, deviceId));
  }
  return typicalSums(ring.task, sums);
}
