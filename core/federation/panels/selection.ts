import { FedloopError } from '../../contracts/errors';
import { type SiteDescription } from '../../contracts/site-reports';
import { seededRandom } from '../../platform/random';
import { PANEL_DEVICES, PANEL_GROUP_SHARE, PANEL_SHARE, REFIT_DEVICES } from '../constants';

/** A device and what it must not share with a panel that judges it: the recorded stretch it replays, or its own id. */
export interface SelectableDevice {
  readonly deviceId: string;
  readonly group: string;
}

export const PANELS = ['A', 'B', 'C'] as const;
/** A: weights; B: acceptance of refits; C: the panel gate. Never weight and gate on the same device-windows. */
export type Panel = (typeof PANELS)[number];
export type GroupRole = Panel | 'train';

/** What several sites must know in common to plan alike. */
export interface FleetCounts {
  /** Devices of the whole fleet in each group. */
  readonly groups: ReadonlyMap<string, number>;
  /** What the round asks of the whole fleet. */
  readonly participants: number | 'all';
}

export interface RoundPlanRequest {
  readonly seed: number;
  readonly round: number;
  /** Devices to choose from: the whole fleet's, or one site's own. */
  readonly devices: readonly SelectableDevice[];
  /** How many of them train; `all` = everyone off the panels. For one of several sites, its quota. */
  readonly participants: number | 'all';
  /** Devices in each panel: `panelSize(devices.length)` when left out. For one of several sites, its quota. */
  readonly panelDevices?: number;
  /** With several sites: then a group has the same role at all of them, and no stretch trains here and judges there. */
  readonly fleet?: FleetCounts;
}

/** Who does what in a round. */
export interface RoundPlan {
  readonly participants: readonly string[];
  readonly panels: Readonly<Record<Panel, readonly string[]>>;
  /** Whose windows refit output layers: at most 500 of all devices that share no group with panels B and C. */
  readonly refit: readonly string[];
  /** False where the fleet has fewer than four groups: then devices are kept apart, but stretches are not. */
  readonly groupsApart: boolean;
}

/** One group to train and one for each panel. */
const FEWEST_GROUPS = 1 + PANELS.length;

/** Devices in each panel of a fleet: min(250, a tenth), at least one. */
export function panelSize(devices: number): number {
  return Math.max(1, Math.min(PANEL_DEVICES, Math.floor(devices * PANEL_SHARE)));
}

/**
 * Choose participants and panels A, B, C. Same seed, round and devices → same plan, in whatever order the devices come.
 * @throws FedloopError `InvalidInput` naming `devices` (fewer than four) or `participants` (more than are off the panels).
 */
export function planRound(request: RoundPlanRequest): RoundPlan {
  const { seed, round, devices } = request;
  const ownGroups = countGroups(devices);
  const known = request.fleet?.groups ?? ownGroups;
  const groupsApart = known.size >= FEWEST_GROUPS;
  const groups = groupsApart ? known : new Map(devices.map(({ deviceId }) => [deviceId, 1]));
  const fleetDevices = sumOf(groups);
  if (fleetDevices < FEWEST_GROUPS) {
    throw new FedloopError(
      'InvalidInput',
      `devices: a round needs at least ${FEWEST_GROUPS} (one to train, three to judge), not ${fleetDevices}`,
    );
  }

  const fleetPanel =
    request.fleet === undefined && request.panelDevices !== undefined
      ? request.panelDevices
      : panelSize(fleetDevices);
  const roles = assignRoles({
    seed,
    round,
    groups,
    participants: request.fleet?.participants ?? request.participants,
    panelDevices: fleetPanel,
  });
  const inRole: Record<GroupRole, string[]> = { train: [], A: [], B: [], C: [] };
  for (const { deviceId, group } of devices)
    inRole[roles.get(groupsApart ? group : deviceId) ?? 'train'].push(deviceId);

  const wanted = request.participants === 'all' ? inRole.train.length : request.participants;
  if (wanted > inRole.train.length) {
    throw new FedloopError(
      'InvalidInput',
      `participants: ${wanted} asked for, but only ${inRole.train.length} of ${devices.length} devices are off the panels`,
      { hint: 'Ask for fewer, or for "all".' },
    );
  }
  const choose = (ids: readonly string[], count: number, what: string): string[] =>
    sample(ids, count, seed, round, what);
  const panelDevices = request.panelDevices ?? fleetPanel;
  return {
    participants: choose(inRole.train, wanted, 'participants'),
    panels: {
      A: choose(inRole.A, panelDevices, 'A'),
      B: choose(inRole.B, panelDevices, 'B'),
      C: choose(inRole.C, panelDevices, 'C'),
    },
    refit: choose([...inRole.train, ...inRole.A], REFIT_DEVICES, 'refit'),
    groupsApart,
  };
}

/** Devices of the whole fleet by group; null where not all sites share groups. */
export function groupsOfFleet(
  descriptions: readonly Pick<SiteDescription, 'groups'>[],
): ReadonlyMap<string, number> | null {
  const sum = new Map<string, number>();
  for (const { groups } of descriptions) {
    if (groups === null) return null;
    for (const [group, count] of Object.entries(groups)) sum.set(group, (sum.get(group) ?? 0) + count);
  }
  return sum;
}

export interface RoleRequest {
  readonly seed: number;
  readonly round: number;
  /** Devices in each group; at least four groups. */
  readonly groups: ReadonlyMap<string, number>;
  readonly participants: number | 'all';
  readonly panelDevices: number;
}

/**
 * The role of every group. Groups stand on a ring, shuffled by the seed; three neighbouring stretches of it are the panels,
 * the rest trains, and the panels move on from round to round. Where few devices train, panels spread over up to half of
 * the groups, so that both sides see varied weather; else they take as few groups as hold their devices.
 */
export function assignRoles(request: RoleRequest): Map<string, GroupRole> {
  const ring = [...request.groups.keys()].sort(compareText);
  seededRandom(request.seed, 'group-ring').shuffle(ring);
  const spread =
    request.participants === 'all' ? 0 : Math.floor((ring.length * PANEL_GROUP_SHARE) / PANELS.length);
  const spreadOut = fillPanels(ring, request, spread);
  const roomy =
    request.participants === 'all' ||
    devicesInRole(spreadOut, request.groups, 'train') >= request.participants;
  return roomy ? spreadOut : fillPanels(ring, request, 0);
}

/** Each panel takes neighbouring groups until it has `spread` of them and devices enough; one group is left for each that comes after. */
function fillPanels(ring: readonly string[], request: RoleRequest, spread: number): Map<string, GroupRole> {
  const { groups, panelDevices, round } = request;
  const groupsForDevices = Math.ceil((panelDevices * ring.length) / sumOf(groups));
  const step = PANELS.length * Math.max(spread, groupsForDevices, 1);
  const roles = new Map<string, GroupRole>(ring.map((group) => [group, 'train']));
  let taken = 0;
  PANELS.forEach((panel, position) => {
    const leftForOthers = PANELS.length - position;
    let groupsHere = 0;
    let devicesHere = 0;
    while ((groupsHere < spread || devicesHere < panelDevices) && ring.length - taken > leftForOthers) {
      const group = ring[((round - 1) * step + taken) % ring.length] ?? '';
      roles.set(group, panel);
      taken += 1;
      groupsHere += 1;
      devicesHere += groups.get(group) ?? 0;
    }
  });
  return roles;
}

/**
 * Share `total` over sites in proportion to their devices, so that the shares add up to it (largest remainder; ties to the
 * earlier site). No site gets more than it has.
 * @throws FedloopError `InvalidInput` when all sites together have fewer than `total`.
 */
export function quotas(total: number, devicesOfSites: readonly number[]): number[] {
  const available = devicesOfSites.reduce((sum, devices) => sum + devices, 0);
  if (total > available) {
    throw new FedloopError(
      'InvalidInput',
      `participants: ${total} asked for, but the sites have only ${available} devices in all`,
      { hint: 'Ask for fewer, or for "all".' },
    );
  }
  if (available === 0) return devicesOfSites.map(() => 0);
  const exact = devicesOfSites.map((devices) => (total * devices) / available);
  const shares = exact.map(Math.floor);
  const missing = total - shares.reduce((sum, share) => sum + share, 0);
  const byRemainder = exact
    .map((share, site) => ({ site, remainder: share - Math.floor(share) }))
    .sort((one, other) => other.remainder - one.remainder || one.site - other.site);
  for (const { site } of byRemainder.slice(0, missing)) shares[site] = (shares[site] ?? 0) + 1;
  return shares;
}

/** Devices in each group. */
export function countGroups(devices: readonly SelectableDevice[]): Map<string, number> {
  const groups = new Map<string, number>();
  for (const { group } of devices) groups.set(group, (groups.get(group) ?? 0) + 1);
  return groups;
}

function devicesInRole(
  roles: ReadonlyMap<string, GroupRole>,
  groups: ReadonlyMap<string, number>,
  role: GroupRole,
): number {
  let devices = 0;
  for (const [group, itsRole] of roles) if (itsRole === role) devices += groups.get(group) ?? 0;
  return devices;
}

/** `count` of the ids (all, where there are fewer), drawn at random, in ascending order. */
function sample(ids: readonly string[], count: number, seed: number, round: number, what: string): string[] {
  const drawn = [...ids].sort(compareText);
  if (count < drawn.length) {
    seededRandom(seed, 'selection', round, what).shuffle(drawn);
    drawn.length = count;
    drawn.sort(compareText);
  }
  return drawn;
}

function sumOf(groups: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const devices of groups.values()) sum += devices;
  return sum;
}

/** By code units: the same order on every machine, whatever its locale. */
function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
