import fc from 'fast-check';
import { FedloopError } from '../../../core/contracts/errors';
import {
  assignRoles,
  countClusters,
  planRound,
  quotas,
  type RoundPlan,
  type SelectableDevice,
} from '../../../core/federation/panels/selection';

const fleet = (devices: number, clusters: number): SelectableDevice[] =>
  Array.from({ length: devices }, (_, at) => ({
    deviceId: `d${String(at).padStart(5, '0')}`,
    cluster: `g${at % clusters}`,
  }));

const membersOf = (plan: RoundPlan): readonly (readonly string[])[] => [
  plan.participants,
  plan.panels.A,
  plan.panels.B,
  plan.panels.C,
];

describe('who takes part in a round', () => {
  it('is the same for the same seed, whatever order the devices come in', () => {
    const devices = fleet(500, 40);
    const one = planRound({ seed: 7, round: 3, devices, participants: 20 });
    expect(planRound({ seed: 7, round: 3, devices: [...devices].reverse(), participants: 20 })).toEqual(one);
    expect(planRound({ seed: 8, round: 3, devices, participants: 20 })).not.toEqual(one);
    expect(planRound({ seed: 7, round: 4, devices, participants: 20 })).not.toEqual(one);
  });

  it('gives a panel a tenth of a small fleet and at most 250 devices', () => {
    expect(planRound({ seed: 1, round: 1, devices: fleet(60, 60), participants: 20 }).panels.A).toHaveLength(
      6,
    );
    expect(
      planRound({ seed: 1, round: 1, devices: fleet(2407, 67), participants: 'all' }).panels.B,
    ).toHaveLength(240);
    expect(
      planRound({ seed: 1, round: 1, devices: fleet(4000, 4000), participants: 20 }).panels.C,
    ).toHaveLength(250);
  });

  it('refits on devices of all clusters but those of panels B and C, at most 500', () => {
    const devices = fleet(2_407, 64);
    const { refit, panels } = planRound({ seed: 2, round: 5, devices, participants: 20 });
    const clusterOf = new Map(devices.map(({ deviceId, cluster }) => [deviceId, cluster]));
    const clustersOf = (ids: readonly string[]) => new Set(ids.map((id) => clusterOf.get(id) ?? ''));
    expect(refit).toHaveLength(500);
    expect(new Set(refit).size).toBe(500);
    const judging = clustersOf([...panels.B, ...panels.C]);
    const refitting = clustersOf(refit);
    expect([...refitting].filter((cluster) => judging.has(cluster))).toEqual([]);
    // Participants and panel A lie in a part of what is left; the refit sees all of it.
    expect(refitting.size).toBeGreaterThan(clustersOf(panels.A).size * 3);
  });

  it('never puts one device or one cluster in two places', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 400 }),
        fc.integer({ min: 4, max: 80 }),
        fc.integer({ min: 1, max: 50 }),
        fc.boolean(),
        (devices, clusters, round, everyone) => {
          const members = fleet(Math.max(devices, clusters), clusters);
          const plan = planRound({ seed: 3, round, devices: members, participants: everyone ? 'all' : 1 });
          const clusterOf = new Map(members.map(({ deviceId, cluster }) => [deviceId, cluster]));
          const seen = new Map<string, number>();
          membersOf(plan).forEach((ids, role) => {
            expect(ids.length).toBeGreaterThan(0);
            for (const id of ids) {
              const cluster = clusterOf.get(id)!;
              expect(seen.get(cluster) ?? role).toBe(role);
              seen.set(cluster, role);
            }
          });
        },
      ),
    );
  });

  it('lets panels rotate, so that in some rounds everybody has judged and trained', () => {
    const devices = fleet(200, 50);
    const judged = new Set<string>();
    const trained = new Set<string>();
    for (let round = 1; round <= 12; round += 1) {
      const plan = planRound({ seed: 1, round, devices, participants: 'all' });
      for (const id of plan.participants) trained.add(id);
      for (const id of [...plan.panels.A, ...plan.panels.B, ...plan.panels.C]) judged.add(id);
    }
    expect(trained.size).toBe(200);
    expect(judged.size).toBeGreaterThan(180);
  });

  it('spreads panels over more clusters when few devices train', () => {
    const devices = fleet(2407, 67);
    const clusters = (participants: number | 'all'): number => {
      const plan = planRound({ seed: 1, round: 1, devices, participants });
      const clusterOf = new Map(devices.map(({ deviceId, cluster }) => [deviceId, cluster]));
      return new Set(plan.panels.A.map((id) => clusterOf.get(id))).size;
    };
    expect(clusters('all')).toBe(7);
    expect(clusters(20)).toBe(11);
  });

  it('keeps at least devices apart where there are fewer than four clusters', () => {
    const plan = planRound({ seed: 1, round: 1, devices: fleet(40, 1), participants: 10 });
    expect(new Set(membersOf(plan).flat()).size).toBe(10 + 3 * 4);
  });

  it('refuses more participants than are off the panels, and a fleet too small to judge itself', () => {
    const tooMany = (): RoundPlan =>
      planRound({ seed: 1, round: 1, devices: fleet(100, 100), participants: 90 });
    expect(tooMany).toThrow(FedloopError);
    expect(tooMany).toThrow(/participants: 90 asked for, but only 70 of 100/);
    expect(() => planRound({ seed: 1, round: 1, devices: fleet(3, 3), participants: 1 })).toThrow(/devices/);
  });

  it('takes every device that is off the panels when it must', () => {
    const plan = planRound({ seed: 1, round: 2, devices: fleet(100, 100), participants: 70 });
    expect(plan.participants).toHaveLength(70);
  });

  it('gives a cluster the same role at every site', () => {
    const all = fleet(300, 30);
    const clusters = countClusters(all);
    const sites = [all.slice(0, 120), all.slice(120)];
    const share = quotas(30, [10, 20]);
    const plans = sites.map((devices, site) =>
      planRound({
        seed: 5,
        round: 2,
        devices,
        participants: share[site]!,
        panelDevices: 10,
        fleet: { clusters, participants: 30 },
      }),
    );
    const roles = assignRoles({ seed: 5, round: 2, clusters, participants: 30, panelDevices: 30 });
    const clusterOf = new Map(all.map(({ deviceId, cluster }) => [deviceId, cluster]));
    for (const plan of plans) {
      for (const id of plan.participants) expect(roles.get(clusterOf.get(id)!)).toBe('train');
      for (const id of plan.panels.B) expect(roles.get(clusterOf.get(id)!)).toBe('B');
    }
    expect(plans.flatMap(({ participants }) => participants)).toHaveLength(30);
  });
});

describe('quotas of sites', () => {
  it('share by size, largest remainder first', () => {
    expect(quotas(20, [100, 100])).toEqual([10, 10]);
    expect(quotas(10, [40, 40, 40])).toEqual([4, 3, 3]);
    expect(quotas(7, [70, 10, 20])).toEqual([5, 1, 1]);
  });

  it('add up and ask no site for more than it has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (sites, share) => {
          const available = sites.reduce((sum, devices) => sum + devices, 0);
          const total = Math.floor(share * available);
          const shares = quotas(total, sites);
          expect(shares.reduce((sum, devices) => sum + devices, 0)).toBe(total);
          shares.forEach((devices, site) => {
            expect(devices).toBeLessThanOrEqual(sites[site]!);
          });
        },
      ),
    );
  });

  it('refuse more than there is', () => {
    expect(() => quotas(4, [1, 2])).toThrow(/participants: 4/);
  });
});
