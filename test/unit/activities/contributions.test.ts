import { createRoundsActivities, type RoundsActivities } from '../../../activities/rounds';
import { publishReports } from '../../../activities/shared/site-reports';
import { createSiteActivities, type SiteActivities } from '../../../activities/site';
import { type ContributionPlan, type ContributionResult } from '../../../core/contracts/contribution';
import { siteNameSchema, type SiteName } from '../../../core/contracts/ids';
import { partsFor } from '../../../core/contracts/rounds';
import { type RoundStrategy } from '../../../core/contracts/strategies';
import { type SitePlan } from '../../../core/contracts/steps';
import { TOPICS } from '../../../core/contracts/topics';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { Sink } from '../../../core/warehouse/sink/sink';
import { query } from '../warehouse/helpers';
import { NAMES } from '../../support/names';
import { activityEnvironment, activityWorld, MAIN, type ActivityWorld } from './world';

/** What sites and devices brought, from their updates to the tables, of a fleet with one site or more. */
const OTHER = siteNameSchema.parse('other');
const THIRD = siteNameSchema.parse('third');

let world: ActivityWorld;
let rounds: RoundsActivities;
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  world = await activityWorld();
  rounds = createRoundsActivities({
    ...world,
    roundId: NAMES.roundId,
    roundsQueue: NAMES.roundsQueue,
    searchAttributes: true,
    feedback: world.site.feedback,
    latestModel: { publish: () => Promise.resolve() },
  });
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
});
afterEach(() => warehouse.close());

function run<Result>(step: () => Promise<Result>): Promise<Result> {
  return activityEnvironment().environment.run(step);
}

interface TestSite {
  readonly activities: SiteActivities;
  readonly plan: (about?: Partial<SitePlan>) => SitePlan;
}

interface SitesSettings {
  /** Whether each has all of the world's forty devices; else they are shared out evenly. */
  readonly isShared?: boolean;
  /** Whether their workers know of contributions. */
  readonly knowsOfThem?: boolean;
}

function sitesNamed(names: readonly SiteName[], isShared: boolean): readonly TestSite[] {
  return names.map((site, place) => ({
    activities: createSiteActivities({
      ...world.site,
      site,
      store: {
        ...world.site.store,
        devices: () => world.site.store.devices().filter((_, at) => isShared || at % names.length === place),
      },
    }),
    plan: (about) =>
      world.plan({ quota: { site, participants: 8, panelDevices: 40 / names.length / 10 }, ...about }),
  }));
}

interface Measured {
  readonly planned: ContributionPlan;
  readonly plan: SitePlan;
  readonly contribute: () => Promise<ContributionResult>;
}

/** Every step up to the sites' sums. */
async function measured(
  names: readonly SiteName[],
  strategy: RoundStrategy,
  about: Partial<SitePlan> = {},
  { isShared = false, knowsOfThem = true }: SitesSettings = {},
): Promise<Measured> {
  const sites = sitesNamed(names, isShared);
  const changes = { strategy, parts: partsFor(strategy, {}), ...about };
  const plan = world.plan(changes);
  let trainedTo = -1;
  let scoredTo = -1;
  for (const { activities } of sites)
    await run(() => activities.describeSite({ ...plan, withFeatureSums: false }));
  for (const { activities, plan: own } of sites)
    trainedTo = (await run(() => activities.trainLocals(own(changes)))).last;
  for (const { activities, plan: own } of sites)
    scoredTo = (await run(() => activities.scoreLocals(own(changes), trainedTo))).last;
  const { contribution: planned } = await run(() =>
    rounds.aggregate(plan, { last: trainedTo, feedbackUsed: {} }, scoredTo, []),
  );
  if (planned === undefined) throw new Error('nothing is to be measured');
  for (const { activities, plan: own } of sites)
    await run(() => activities.scoreProposals(own(changes), [], ...(knowsOfThem ? [planned] : [])));
  const contribute = (): Promise<ContributionResult> =>
    run(() => rounds.contribute(plan, trainedTo, planned));
  return { planned, plan, contribute };
}

/** What has been sent goes into the tables, as the analytics worker has it. */
async function store(): Promise<void> {
  const sink = await Sink.open(connection);
  const records = world.kafka.records(TOPICS.updates.name)[0]!.map((record) => ({
    ...record,
    key: record.key?.toString('utf8') ?? null,
  }));
  await sink.store([{ topic: TOPICS.updates.name, partition: 0, records }]);
}

describe('the contributions of a round', () => {
  it.each<RoundStrategy>(['fedavg', 'closed-loop'])(
    'stand in the tables for each site and device, and add up there (%s)',
    async (strategy) => {
      const { contribute } = await measured([MAIN, OTHER], strategy);
      const result = await contribute();
      expect(result).toMatchObject({ refused: null, isMean: true, note: null, panelDevices: 4, devices: 16 });
      expect(result.sites.map(({ site }) => site)).toEqual([MAIN, OTHER]);
      await store();
      expect(
        await query(
          connection,
          `SELECT site, method, count(*)::INTEGER AS figures, count(device_id)::INTEGER AS devices, sum(training_rows)::INTEGER AS training_rows
           FROM contributions GROUP BY ALL ORDER BY ALL`,
        ),
      ).toEqual(
        [MAIN, OTHER].flatMap((site) => [
          { site, method: 'additive', figures: 9, devices: 8, training_rows: 960 },
          { site, method: 'exact', figures: 1, devices: 0, training_rows: 480 },
        ]),
      );
      // Left out or not, the shares of a mean and what each brings to it cancel out.
      const sums = await query(
        connection,
        `SELECT abs(sum((1 - weight) * soft_contribution)) < 1e-9 AS cancel, abs(sum(weight) - 1) < 1e-6 AS whole
         FROM contributions WHERE device_id IS NOT NULL`,
      );
      expect(sums).toEqual([{ cancel: true, whole: true }]);
      const sites = await query(
        connection,
        `WITH devices AS (SELECT site, sum((1 - weight) * soft_contribution) / (1 - sum(weight)) AS summed
                          FROM contributions WHERE device_id IS NOT NULL GROUP BY site)
         SELECT bool_and(abs(summed - soft_contribution) < 1e-9) AS agree FROM devices
         JOIN contributions USING (site) WHERE device_id IS NULL AND method = 'additive'`,
      );
      expect(sites).toEqual([{ agree: true }]);
    },
  );

  it('are in the result as they are in the tables', async () => {
    const { contribute } = await measured([MAIN, OTHER], 'fedavg');
    const { sites, proposal } = await contribute();
    await store();
    expect(proposal).toBe('sole');
    expect(
      await query(
        connection,
        `SELECT site, contribution, standard_error AS "standardError", soft_contribution AS "softContribution",
                soft_standard_error AS "softStandardError"
         FROM contributions WHERE method = 'exact' ORDER BY site`,
      ),
    ).toEqual(
      sites.map(({ site, contribution, standardError, softContribution, softStandardError }) => ({
        site,
        contribution,
        standardError,
        softContribution,
        softStandardError,
      })),
    );
  });

  it('are the same when a step is tried again', async () => {
    const { contribute } = await measured([MAIN, OTHER], 'fedavg');
    expect(await contribute()).toEqual(await contribute());
    await store();
    expect(await query(connection, 'SELECT count(*)::INTEGER AS n FROM contributions')).toEqual([{ n: 20 }]);
  });

  it('of one site are those of its devices', async () => {
    const { contribute } = await measured([MAIN], 'fedavg');
    expect(await contribute()).toMatchObject({
      refused: null,
      devices: 8,
      sites: [],
      note: 'one site sent updates: there is nothing without it',
    });
  });

  it('are not measured under privacy, which the result says', async () => {
    const privacy = { noiseMultiplier: 1, clipNorm: 1, delta: 1e-5 };
    const { planned } = await measured([MAIN, OTHER], 'fedavg', { privacy });
    expect(planned.refused).toMatch(/privacy/);
    expect(planned.sites).toEqual([]);
  });

  it('are not measured where that part is off', async () => {
    const parts = partsFor('fedavg', { contribution: false });
    await expect(measured([MAIN], 'fedavg', { parts })).rejects.toThrow('nothing is to be measured');
  });

  it('have no exact form, but a reason, where the strategy cannot do without a site', async () => {
    const strategySettings = { f: 4 };
    const { planned, contribute } = await measured([MAIN, OTHER], 'multi-krum', { strategySettings });
    expect(planned.sites.map(({ without }) => without)).toEqual([null, null]);
    const result = await contribute();
    for (const site of result.sites) {
      expect(site).toMatchObject({
        contribution: null,
        refused: expect.stringMatching(/multi-krum/) as string,
      });
      expect(site.additive).not.toBeNull();
    }
  });

  it('say that figures of a step that is no mean are an order', async () => {
    const { contribute } = await measured([MAIN, OTHER], 'median');
    expect(await contribute()).toMatchObject({ isMean: false, devices: 16 });
  });

  it('leave out sums that nobody can have measured, with the reason', async () => {
    const { plan, contribute } = await measured([MAIN, OTHER], 'fedavg');
    const honest = await contribute();
    await publishReports(world.producer, [
      {
        type: 'contribution-sums',
        round: plan.round,
        attempt: plan.attempt,
        site: THIRD,
        proposal: 'sole',
        devices: 1_000,
        gradient: [],
        without: [],
      },
    ]);
    expect(await contribute()).toEqual(honest);
    await store();
    expect(await query(connection, 'SELECT device_id, site, reason FROM left_out_updates')).toEqual([
      { device_id: '(contribution sums)', site: THIRD, reason: 'wrong-shape' },
    ]);
  });

  it('are not measured where every site’s worker is of an earlier release', async () => {
    const { contribute } = await measured([MAIN, OTHER], 'fedavg', {}, { knowsOfThem: false });
    expect(await contribute()).toMatchObject({ refused: 'no site measured it on panel C', devices: 0 });
  });

  it('count a device that two sites have at the one whose update counts', async () => {
    const { contribute } = await measured([MAIN, OTHER], 'fedavg', {}, { isShared: true });
    expect(await contribute()).toMatchObject({
      devices: 8,
      note: 'one site sent updates: there is nothing without it',
    });
    await store();
    const rows = await query(connection, 'SELECT DISTINCT site FROM contributions');
    expect(rows).toEqual([{ site: MAIN }]);
  });
});
