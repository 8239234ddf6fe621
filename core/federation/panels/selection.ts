import { FedloopError } from '../../contracts/errors';
import { type MIN_PANEL_DEVICES } from '../../contracts/readiness';
import { type SiteDescription } from '../../contracts/site-reports';
import { seededRandom } from '../../platform/random';
import { PANEL_DEVICES, PANEL_CLUSTER_SHARE, PANEL_SHARE, REFIT_DEVICES } from '../constants';

/**
 * A device and its cluster: the devices that see the same weather, because they replay the same recorded hours. A device without a
 * recording is its own cluster. No cluster both trains and judges, and intervals count a cluster, not a device, as one observation.
 */
export interface SelectableDevice {
  readonly deviceId: string;
  readonly cluster: string;
}

/**
 * Panels are hold-out cohorts: devices that do not train in a round and share no cluster with those that do. A weighs local models,
 * B accepts refits, C gates. What weighs never gates.
 */
export const PANELS = ['A', 'B', 'C'] as const satisfies { readonly length: typeof MIN_PANEL_DEVICES };
export type Panel = (typeof PANELS)[number];
export type ClusterRole = Panel | 'train';

export interface RoundPlanRequest {
  readonly seed: number;
  readonly round: number;
  /** Devices to choose from: the whole fleet's, or one site's own. */
  readonly devices: readonly SelectableDevice[];
  /** How many of them train; `all` = everyone off the panels. For one of several sites, its quota. */
  readonly participants: number | 'all';
  /** Devices in each panel: `panelSize(devices.length)` when left out. For one of several sites, its quota. */
  readonly panelDevices?: number;
  /** The whole fleet's devices by cluster, and its participants. With several sites a cluster then has the same role at all of them. */
  readonly fleet?: Pick<RoleRequest, 'clusters' | 'participants'>;
}

/** Who does what in a round. */
export interface RoundPlan {
  readonly participants: readonly string[];
  readonly panels: Readonly<Record<Panel, readonly string[]>>;
  /** Whose windows refit output layers: at most 500 of all devices that share no cluster with panels B and C. */
  readonly refit: readonly string[];
}

/** One cluster to train and one for each panel. */
const MIN_CLUSTERS = 1 + PANELS.length;

/** Devices in each panel of a fleet: min(250, a tenth), at least one. */
export function panelSize(devices: number): number {
  return Math.max(1, Math.min(PANEL_DEVICES, Math.floor(devices * PANEL_SHARE)));
}

/**
 * Choose participants and panels A, B, C. Same seed, round and devices → same plan, in whatever order the devices come. Where the fleet
 * has fewer than four clusters, devices are kept apart, but clusters are not.
 * @throws FedloopError `InvalidInput` naming `devices` (fewer than four) or `participants` (more than are off the panels).
 */
export function planRound(request: RoundPlanRequest): RoundPlan {
  const { seed, round, devices } = request;
  const known = request.fleet?.clusters ?? countClusters(devices);
  const clustersApart = known.size >= MIN_CLUSTERS;
  const clusters = clustersApart ? known : new Map(devices.map(({ deviceId }) => [deviceId, 1]));
  const fleetDevices = sumOf(clusters);
  if (fleetDevices < MIN_CLUSTERS) {
    const message = `devices: a round needs at least ${MIN_CLUSTERS} (one to train, three to judge), not ${fleetDevices}`;
    throw new FedloopError('InvalidInput', message);
  }

  const { fleet, panelDevices = panelSize(fleetDevices) } = request;
  const roles = assignRoles({
    seed,
    round,
    clusters,
    participants: fleet?.participants ?? request.participants,
    panelDevices: fleet === undefined ? panelDevices : panelSize(fleetDevices),
  });
  const inRole: Record<ClusterRole, string[]> = { train: [], A: [], B: [], C: [] };
  for (const { deviceId, cluster } of devices)
    inRole[roles.get(clustersApart ? cluster : deviceId) ?? 'train'].push(deviceId);

  const wanted = request.participants === 'all' ? inRole.train.length : request.participants;
  if (wanted > inRole.train.length)
    throw tooMany(wanted, `only ${inRole.train.length} of ${devices.length} devices are off the panels`);
  const choose = (ids: readonly string[], count: number, what: string): string[] =>
    sample(ids, count, seed, round, what);
  return {
    participants: choose(inRole.train, wanted, 'participants'),
    panels: {
      A: choose(inRole.A, panelDevices, 'A'),
      B: choose(inRole.B, panelDevices, 'B'),
      C: choose(inRole.C, panelDevices, 'C'),
    },
    refit: choose([...inRole.train, ...inRole.A], REFIT_DEVICES, 'refit'),
  };
}

/** Devices of the whole fleet by cluster; null where not all sites share clusters. */
export function clustersOfFleet(
  descriptions: readonly Pick<SiteDescription, 'groups'>[],
): ReadonlyMap<string, number> | null {
  const sum = new Map<string, number>();
  for (const { groups } of descriptions) {
    if (groups === null) return null;
    for (const [cluster, count] of Object.entries(groups)) sum.set(cluster, (sum.get(cluster) ?? 0) + count);
  }
  return sum;
}

export interface RoleRequest extends Pick<RoundPlanRequest, 'seed' | 'round' | 'participants'> {
  /** Devices in each cluster; at least four clusters. */
  readonly clusters: ReadonlyMap<string, number>;
  readonly panelDevices: number;
}

/**
 * The role of every cluster. Clusters stand on a ring, shuffled by the seed. Three neighbouring parts of it are the panels,
 * the rest trains, and the panels move along the ring from round to round. Where few devices train, panels spread over up to half of
 * the clusters, so that both sides see varied weather; else they take as few clusters as hold their devices.
 */
export function assignRoles(request: RoleRequest): Map<string, ClusterRole> {
  const ring = [...request.clusters.keys()].sort(compareText);
  // The name is part of the seed: with another one every plan would change.
  seededRandom(request.seed, 'group-ring').shuffle(ring);
  const { participants, clusters } = request;
  if (participants === 'all') return fillPanels(ring, request, 0);
  const spread = Math.floor((ring.length * PANEL_CLUSTER_SHARE) / PANELS.length);
  const roles = fillPanels(ring, request, spread);
  const training = sumOf(new Map([...clusters].filter(([cluster]) => roles.get(cluster) === 'train')));
  return training >= participants ? roles : fillPanels(ring, request, 0);
}

/** Each panel takes neighbouring clusters until it has `spread` of them and devices enough; one cluster is left for each that follows. */
function fillPanels(ring: readonly string[], request: RoleRequest, spread: number): Map<string, ClusterRole> {
  const { clusters, panelDevices, round } = request;
  const clustersForDevices = Math.ceil((panelDevices * ring.length) / sumOf(clusters));
  const step = PANELS.length * Math.max(spread, clustersForDevices, 1);
  const roles = new Map<string, ClusterRole>(ring.map((cluster) => [cluster, 'train']));
  let taken = 0;
  PANELS.forEach((panel, position) => {
    const leftForOthers = PANELS.length - position;
    let clustersHere = 0;
    let devicesHere = 0;
    while ((clustersHere < spread || devicesHere < panelDevices) && ring.length - taken > leftForOthers) {
      const cluster = ring[((round - 1) * step + taken) % ring.length] ?? '';
      roles.set(cluster, panel);
      taken += 1;
      clustersHere += 1;
      devicesHere += clusters.get(cluster) ?? 0;
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
  if (total > available) throw tooMany(total, `the sites have only ${available} devices in all`);
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

function tooMany(participants: number, there: string): FedloopError {
  const message = `participants: ${participants} asked for, but ${there}`;
  return new FedloopError('InvalidInput', message, { hint: 'Ask for fewer, or for "all".' });
}

/** Devices in each cluster. */
export function countClusters(devices: readonly SelectableDevice[]): Map<string, number> {
  const clusters = new Map<string, number>();
  for (const { cluster } of devices) clusters.set(cluster, (clusters.get(cluster) ?? 0) + 1);
  return clusters;
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

/** Devices of all clusters. */
function sumOf(clusters: ReadonlyMap<string, number>): number {
  return [...clusters.values()].reduce((sum, devices) => sum + devices, 0);
}

/** By code units: the same order on every machine, whatever its locale. */
function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
