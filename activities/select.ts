import { FedloopError } from '../core/contracts/errors';
import { type SiteName } from '../core/contracts/ids';
import { fleetReadiness, SILENT_WINDOWS, whatRoundNeeds } from '../core/contracts/readiness';
import { federatedRoundInputSchema } from '../core/contracts/rounds';
import { type StreamSettings } from '../core/contracts/settings';
import { type SiteDescription } from '../core/contracts/site-reports';
import { type RoundRef, type Selection } from '../core/contracts/steps';
import { type Task } from '../core/contracts/task';
import { MICROS_PER_MILLI } from '../core/contracts/time';
import { clustersOfFleet, panelSize, quotas } from '../core/federation/panels/selection';
import { type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { deployFirstVersion } from './first-version';
import { requireUndecided } from './shared/decided';
import { type UpdateInbox } from './shared/update-inbox';

export interface SelectInput extends RoundRef {
  readonly sites: readonly SiteName[];
  readonly participants: number | 'all';
  /** Updates that the round needs; its default where a running workflow does not say. */
  readonly minUpdates?: number;
  /** Seed of the first version, where none serves yet; absent where a running workflow deploys it in a step of its own. */
  readonly firstVersionSeed?: number;
}

interface SelectDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
}

/**
 * Step 1: share participants and panels over the sites, by the sites' own reports. Where no version serves yet, the first one is deployed,
 * once a round is possible.
 * @throws FedloopError `TooFewWindows` with what the round still needs, before anything is trained; `RoundOvertaken` for a closed round.
 */
export async function select(
  dependencies: SelectDependencies,
  { sites, participants, minUpdates, firstVersionSeed: seed, ...ref }: SelectInput,
): Promise<Selection> {
  const { inbox, deployments } = dependencies;
  await requireUndecided(deployments, ref);
  const described = await inbox.descriptions(ref);
  const descriptions = sites.map((name) => {
    const known = described.find(({ site }) => site === name);
    if (known === undefined) throw new FedloopError('NotFound', `the site ${name} did not describe itself`);
    return known;
  });
  requireReadiness(descriptions, deployments.settings(), minUpdates);
  const { task, watermarkMicros, idleMillis } = deployments.settings();
  return {
    ...shareOut(descriptions, participants, task),
    windowMillis: task.windowMicros / MICROS_PER_MILLI,
    closesAfterMillis: watermarkMicros / MICROS_PER_MILLI + idleMillis,
    ...(seed === undefined ? {} : { champion: await deployFirstVersion(dependencies, { ...ref, seed }) }),
  };
}

/** A site of an earlier release does not say how far it is: its round goes on, as it did. */
function requireReadiness(
  descriptions: readonly SiteDescription[],
  settings: StreamSettings,
  minUpdates = federatedRoundInputSchema.parse({}).minUpdates,
): void {
  const known = descriptions.flatMap(({ readiness }) => readiness ?? []);
  if (known.length < descriptions.length) return;
  const now = Date.now() * MICROS_PER_MILLI;
  const needs = whatRoundNeeds(fleetReadiness(known, settings.task, minUpdates), settings, now);
  if (needs === null) return;
  throw new FedloopError('TooFewWindows', `no round is possible yet: ${needs}`, {
    hint: 'Start it again then, or now with `fedloop round start --when-ready`.',
  });
}

/**
 * Share participants and panels over the sites, and fix the last window that training may see. Each site then chooses the devices
 * by the seed (core/federation/panels/selection.ts). A site that has fallen silent as a whole gets no share, and delays no other.
 * @throws FedloopError `InvalidInput` naming `participants` when there are fewer devices; `NotFound` before the first closed window.
 */
export function shareOut(
  descriptions: readonly SiteDescription[],
  participants: number | 'all',
  { windowMicros }: Pick<Task, 'windowMicros'>,
): Selection {
  const known = descriptions.flatMap(({ latestWindow }) => latestWindow ?? []);
  const silentBefore = Math.max(...known) - SILENT_WINDOWS * windowMicros;
  const sends = ({ latestWindow }: SiteDescription): boolean =>
    latestWindow !== null && latestWindow >= silentBefore;
  const windows = known.filter((latest) => latest >= silentBefore);
  const devices = descriptions.map((description) => (sends(description) ? description.devices : 0));
  const total = devices.reduce((sum, count) => sum + count, 0);
  if (total === 0) {
    throw new FedloopError(
      'NotFound',
      `no site knows any device yet: nothing in processed/ and no closed window on the stream`,
      {
        hint: 'Start the fleet, or wait until the first window has closed.',
      },
    );
  }
  const panels = quotas(panelSize(total), devices);
  const shares =
    participants === 'all'
      ? devices.map((count) => (count === 0 ? 0 : ('all' as const)))
      : quotas(participants, devices);
  return {
    quotas: descriptions.map(({ site }, index) => ({
      site,
      participants: shares[index] ?? 0,
      panelDevices: panels[index] ?? 0,
    })),
    fleet: descriptions.length > 1 && clustersOfFleet(descriptions) !== null ? { participants } : null,
    trainUntil: Math.min(...windows),
  };
}
