import { FedloopError } from '../core/contracts/errors';
import { type SiteName } from '../core/contracts/ids';
import { type SiteDescription } from '../core/contracts/site-reports';
import { type RoundRef, type Selection } from '../core/contracts/steps';
import { clustersOfFleet, panelSize, quotas } from '../core/federation/panels/selection';
import { type UpdateInbox } from './shared/update-inbox';

export interface SelectInput extends RoundRef {
  readonly sites: readonly SiteName[];
  readonly participants: number | 'all';
}

/** Step 1: share participants and panels over the sites, by the sites' own reports. */
export async function select(
  { inbox }: { readonly inbox: UpdateInbox },
  { sites, participants, ...ref }: SelectInput,
): Promise<Selection> {
  const described = await inbox.descriptions(ref);
  const descriptions = sites.map((name) => {
    const known = described.find(({ site }) => site === name);
    if (known === undefined) throw new FedloopError('NotFound', `the site ${name} did not describe itself`);
    return known;
  });
  return shareOut(descriptions, participants);
}

/**
 * Share participants and panels over the sites, and fix the last window that training may see. Each site then chooses the devices
 * by the seed (core/federation/panels/selection.ts).
 * @throws FedloopError `InvalidInput` naming `participants` when there are fewer devices; `NotFound` before the first closed window.
 */
export function shareOut(descriptions: readonly SiteDescription[], participants: number | 'all'): Selection {
  const devices = descriptions.map((description) => description.devices);
  const total = devices.reduce((sum, count) => sum + count, 0);
  const windows = descriptions.flatMap(({ latestWindow }) => (latestWindow === null ? [] : [latestWindow]));
  if (total === 0 || windows.length === 0) {
    throw new FedloopError(
      'NotFound',
      `no site knows any device yet: nothing in processed/ and no closed window on the stream`,
      {
        hint: 'Start the fleet, or wait until the first window has closed.',
      },
    );
  }
  const panels = quotas(panelSize(total), devices);
  const shares = participants === 'all' ? devices.map((): 'all' => 'all') : quotas(participants, devices);
  return {
    quotas: descriptions.map(({ site }, index) => ({
      site,
      participants: shares[index] ?? 'all',
      panelDevices: panels[index] ?? 0,
    })),
    fleet: descriptions.length > 1 && clustersOfFleet(descriptions) !== null ? { participants } : null,
    trainUntil: Math.min(...windows),
  };
}
