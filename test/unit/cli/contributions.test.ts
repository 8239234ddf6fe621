import { queryConnection } from '../../../cli/query/query-file';
import { contributionInWords } from '../../../cli/results/contribution-text';
import { queryContributions, queryNewestContributions } from '../../../cli/results/contributions';
import { type ContributionSummary } from '../../../cli/results/summary-schema';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { type SerialConnection } from '../../../core/warehouse/database/connection';

/** What the tables say of contributions, as the results of a run show it. */
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
});
afterEach(() => warehouse.close());

const collected = (first = 1): Promise<ContributionSummary | null> =>
  queryContributions(queryConnection(connection), first);

/** @param rows SQL of round, site, device (''), method, contribution, error and soft contribution */
async function store(rows: string, attempt = 'a'): Promise<void> {
  await connection.run(
    `INSERT INTO contribution_rows SELECT round, '${attempt}', 'v' || round, 'steady', site, device, method, contribution, error, soft, NULL, 0.1, 100
     FROM (${rows}) AS rows(round, site, device, method, contribution, error, soft)`,
  );
}

/** Twenty devices in three rounds, as chance has them; `sensor-0` a hundred times further below zero than others in the first so many rounds. */
const DEVICES = (
  rounds: number,
): string => `SELECT round, 'main', 'sensor-' || device, 'additive', NULL, NULL,
  CASE WHEN device = 0 AND round <= ${rounds} THEN -0.01 ELSE 0.0001 * sin(7 * device + round) + 0.00015 END
  FROM range(1, 4) AS rounds(round), range(0, 20) AS devices(device)`;

describe('the contributions of a run', () => {
  it('are nothing where no round has measured any', async () => {
    expect(await collected()).toBeNull();
  });

  it('are the mean of a site’s exact figures over rounds, with the error of a mean', async () => {
    await store(`VALUES (1, 'a', '', 'exact', 0.01, 0.003, 0.02), (1, 'a', '', 'additive', NULL, NULL, 0.5),
                        (2, 'a', '', 'exact', 0.03, 0.004, 0.04), (2, 'a', '', 'additive', NULL, NULL, 0.5)`);
    const { sites } = (await collected())!;
    expect(sites).toHaveLength(1);
    expect(sites[0]).toMatchObject({ site: 'a', rounds: 2, accuracy: 0.02, soft: 0.03 });
    expect(sites[0]!.accuracyCi95![0]).toBeCloseTo(0.02 - (1.96 * 0.005) / 2);
    expect(sites[0]!.accuracyCi95![1]).toBeCloseTo(0.02 + (1.96 * 0.005) / 2);
    expect((await collected(2))!.sites[0]).toMatchObject({ rounds: 1, accuracy: 0.03 });
  });

  it('are those in additive form where a site has no exact ones', async () => {
    await store(`VALUES (1, 'a', '', 'additive', NULL, NULL, 0.001)`);
    expect((await collected())!.sites).toEqual([
      { site: 'a', rounds: 1, accuracy: null, accuracyCi95: null, soft: 0.001 },
    ]);
  });

  it('name at most five devices of the last round on either end, the largest first', async () => {
    await store(`SELECT 2, 'main', '', 'additive', NULL, NULL, 0`);
    await store(`SELECT round, 'main', 'd' || device, 'additive', NULL, NULL, (device - 8) / 1000 * round
                 FROM range(1, 3) AS rounds(round), range(0, 20) AS devices(device)`);
    const { lastRound } = (await collected())!;
    expect(lastRound?.round).toBe(2);
    expect(lastRound?.most.map(({ device }) => device)).toEqual(['d19', 'd18', 'd17', 'd16', 'd15']);
    expect(lastRound?.least.map(({ device }) => device)).toEqual(['d0', 'd1', 'd2', 'd3', 'd4']);
    expect(lastRound).toMatchObject({ above: 11, below: 8 });
  });

  it('name a device that stays far below zero for three rounds, and none that was so for two', async () => {
    await store(`SELECT 1, 'main', '', 'additive', NULL, NULL, 0`);
    await store(DEVICES(3));
    expect((await collected())!.behind).toMatchObject([{ device: 'sensor-0', site: 'main' }]);
    await connection.run('DELETE FROM contribution_rows');
    await store(`SELECT 1, 'main', '', 'additive', NULL, NULL, 0`);
    await store(DEVICES(2));
    expect((await collected())!.behind).toEqual([]);
  });

  it('count the training that made the round’s version alone', async () => {
    await connection.run(
      "INSERT INTO model_versions (model_version, round, training, created_at) VALUES ('v1', 1, 'second', '2026-01-01')",
    );
    await store(`VALUES (1, 'a', '', 'exact', 0.5, 0.1, 0.5)`, 'first');
    await store(`VALUES (1, 'a', '', 'exact', 0.1, 0.1, 0.1)`, 'second');
    expect((await collected())!.sites).toMatchObject([{ accuracy: 0.1, rounds: 1 }]);
  });

  it('are told in a line for sites, one for devices, and one for those that stay behind', () => {
    const device = { device: 'd\u001b[1m', site: 'main', soft: -0.00012 };
    const summary: ContributionSummary = {
      sites: [
        { site: 'a', rounds: 3, accuracy: 0.012, accuracyCi95: [0.002, 0.022], soft: 0.01 },
        { site: 'b', rounds: 1, accuracy: null, accuracyCi95: null, soft: 0.004 },
      ],
      lastRound: { round: 3, most: [], least: [device], above: 0, below: 1 },
      behind: [device],
      allBehind: 1,
    };
    expect(contributionInWords(summary)).toEqual([
      'Contribution of sites, in points: a +1.20 (95 %: +0.20 … +2.20) over 3 rounds; b +0.4000 of soft score over 1 round.',
      'Contribution of devices in round 3, in points of soft score: most none; least d\\u001b[1m −0.0120.',
      'Below zero in each of their last three rounds, and further than chance explains: d\\u001b[1m −0.0120.',
    ]);
  });

  it('are told of many sites and devices by the ends, and how many more there are', () => {
    const brought = [5, 4, 3, 2, 1].map((soft) => ({ device: `d${soft}`, site: 'main', soft: soft / 1_000 }));
    const summary: ContributionSummary = {
      sites: [0.01, 0.05, 0.03, 0.02, 0.04].map((accuracy) => {
        return { site: `s${100 * accuracy}`, rounds: 1, accuracy, accuracyCi95: null, soft: null };
      }),
      lastRound: { round: 3, most: brought, least: [], above: 900, below: 0 },
      behind: brought,
      allBehind: 7,
    };
    expect(contributionInWords(summary)).toEqual([
      'Contribution of sites, in points: s5 +5.00 over 1 round; s4 +4.00 over 1 round; s2 +2.00 over 1 round; s1 +1.00 over 1 round; 1 more between.',
      'Contribution of devices in round 3, in points of soft score: most d5 +0.5000, d4 +0.4000 and 898 more; least none.',
      'Below zero in each of their last three rounds, and further than chance explains: d5 +0.5000, d4 +0.4000 and 5 more.',
    ]);
  });

  it('of the newest round are asked for apart, of a round under way as well', async () => {
    expect(await queryNewestContributions(queryConnection(connection))).toBeNull();
    await store(`VALUES (1, 'a', '', 'exact', 0.01, 0.003, 0.02), (2, 'a', '', 'exact', 0.03, 0.004, 0.04)`);
    expect((await queryNewestContributions(queryConnection(connection)))!.sites).toMatchObject([
      { site: 'a', rounds: 1, accuracy: 0.03 },
    ]);
  });
});
