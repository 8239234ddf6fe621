import { FedloopError } from '../core/contracts/errors';
import { type SiteName } from '../core/contracts/ids';
import { type Selection, type SiteDescription } from '../core/contracts/steps';
import { panelSize, quotas } from '../core/federation/selection';

export interface SelectInput {
  readonly sites: readonly SiteName[];
  readonly descriptions: readonly SiteDescription[];
  readonly participants: number | 'all';
}

/**
 * Step 1: share participants and panels over the sites, and fix the last window that training may see. Which devices they
 * are, each site decides by the seed (core/federation/selection.ts).
 * @throws FedloopError `InvalidInput` naming `participants` when there are fewer devices; `NotFound` before the first closed window.
 */
export function select({ descriptions, participants }: SelectInput): Selection {
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
  const groups = descriptions.map((description) => description.groups);
  return {
    quotas: descriptions.map(({ site }, index) => ({
      site,
      participants: shares[index] ?? 'all',
      panelDevices: panels[index] ?? 0,
    })),
    fleet:
      descriptions.length > 1 && groups.every((known) => known !== null)
        ? { groups: addUp(groups), participants }
        : null,
    trainUntil: Math.min(...windows),
  };
}

function addUp(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum = new Map<string, number>();
  for (const part of parts)
    for (const [group, count] of Object.entries(part)) sum.set(group, (sum.get(group) ?? 0) + count);
  return Object.fromEntries(sum);
}
