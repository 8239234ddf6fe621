import { LatestModel } from '../../../activities/shared/latest-model';
import { createRoundsActivities, type RoundsActivities } from '../../../activities/rounds';
import { createSiteActivities, type SiteActivities } from '../../../activities/site';
import { type PrivacyBooking, type PrivacySettings } from '../../../core/contracts/privacy';
import { partsFor } from '../../../core/contracts/rounds';
import { type AggregateResult, type SitePlan } from '../../../core/contracts/steps';
import { TOPICS } from '../../../core/contracts/topics';
import { encodeState, stateFor } from '../../../core/federation/strategies/server-state';
import { epsilonSpent } from '../../../core/federation/aggregation/privacy';
import { followDeployments, logDeployment } from '../../../core/model/deployments';
import { silentLogger } from '../../../core/platform/log';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { Sink } from '../../../core/warehouse/sink/sink';
import { query } from '../warehouse/helpers';
import { NAMES } from '../../support/names';
import { activityEnvironment, activityWorld, type ActivityWorld } from './world';

/** Rounds with noise, as the steps of workers play them. */
let world: ActivityWorld;
let site: SiteActivities;
let rounds: RoundsActivities;

beforeEach(async () => {
  world = await activityWorld();
  site = createSiteActivities(world.site);
  const { feedback } = world.site;
  const { deployments } = world;
  rounds = createRoundsActivities({
    ...world,
    ...{ roundId: NAMES.roundId, roundsQueue: NAMES.roundsQueue, searchAttributes: true },
    feedback,
    latestModel: new LatestModel({ folder: '/nowhere', deployments, feedback, log: silentLogger() }),
  });
});

const fixed: PrivacySettings = { noiseMultiplier: 1, clipNorm: 0.5, delta: 1e-5 };

function run<Result>(step: () => Promise<Result>): Promise<Result> {
  return activityEnvironment().environment.run(step);
}

/** The steps of a round up to its proposal, with or without what trains. */
async function aggregated(
  about: Partial<SitePlan> & { readonly privacy: PrivacySettings },
): Promise<AggregateResult> {
  const plan = world.plan({ strategy: 'fedavg', parts: partsFor('fedavg', {}), ...about });
  const trained = await run(() => site.trainLocals(plan));
  const aggregate = (): Promise<AggregateResult> =>
    rounds.aggregate(plan, { last: trained.last, feedbackUsed: {} }, -1, []);
  return run(aggregate);
}

const bookings = async (): Promise<readonly PrivacyBooking[]> => {
  await world.deployments.sync();
  return world.deployments.privacyBookings();
};

it('with the same seed and the same updates, two rounds have different noise', async () => {
  const steps: Float32Array[] = [];
  for (const attempt of ['one', 'other']) {
    await aggregated({ attempt, privacy: fixed });
    steps.push(await world.inbox.proposal(world.plan({ attempt }), 'sole'));
  }
  const [one, other] = steps;
  const equal = one?.filter((value, at) => value === other?.[at]).length;
  expect(one?.length).toBeGreaterThan(500);
  expect(equal).toBeLessThan(5);
});

it('what a round spends is booked before its proposal is published, and stays when the round fails', async () => {
  const result = await aggregated({ privacy: fixed });
  expect(result.feedbackUsed).toMatchObject({ epsilon_spent: epsilonSpent(1, 1e-5), clip_norm: 0.5 });
  expect(result.feedbackUsed).not.toHaveProperty('updates_clipped');
  // It fails: no decision follows, and a fresh worker reads the log.
  await run(() => rounds.withdraw({ round: 1, attempt: 'this-try', reason: 'the round failed' }));
  const later = await followDeployments(world.kafka, silentLogger());
  expect(later.privacyBookings()).toMatchObject([{ round: 1, inverse_squares: 1, next_clip: null }]);
  await later.close();
  const next = await aggregated({ round: 2, privacy: fixed });
  expect(next.feedbackUsed['epsilon_spent']).toBeCloseTo(epsilonSpent(2, 1e-5), 12);
});

it('a round whose proposal cannot be published has booked', async () => {
  const send = world.producer.send.bind(world.producer);
  jest.spyOn(world.producer, 'send').mockImplementation((topic, records) => {
    const isProposal = records.some(({ key }) => String(key).startsWith('candidate/'));
    return isProposal ? Promise.reject(new Error('the broker is gone')) : send(topic, records);
  });
  await expect(aggregated({ privacy: fixed })).rejects.toThrow('the broker is gone');
  expect(await bookings()).toHaveLength(1);
});

it('nothing is published of a round that cannot book', async () => {
  jest.spyOn(world.deployments, 'privacyBookings').mockReturnValue([]);
  await expect(aggregated({ privacy: fixed })).rejects.toThrow('could not be booked');
  const keys = world.kafka.records(TOPICS.updates.name)[0]!.map(({ key }) => String(key));
  expect(keys.filter((key) => key.startsWith('candidate/'))).toEqual([]);
});

it('a step that is tried again draws new noise, and pays for it', async () => {
  await aggregated({ privacy: fixed });
  await aggregated({ privacy: fixed });
  const booked = await bookings();
  expect(booked).toHaveLength(2);
  expect(booked[1]?.epsilon).toBeCloseTo(epsilonSpent(2, 1e-5), 12);
});

describe('a budget', () => {
  const privacy = { ...fixed, budget: 5 };

  it('that is spent refuses a round when it asks, before it trains', async () => {
    expect(await run(() => rounds.ask({ attempt: 'first', privacy }))).toMatchObject({ round: 1 });
    await aggregated({ privacy });
    await expect(run(() => rounds.ask({ attempt: 'second', privacy }))).rejects.toMatchObject({
      type: 'PrivacyBudgetSpent',
      nonRetryable: true,
      message: expect.stringContaining(
        'the privacy budget is ε = 5: 4.377 is spent, and this round would make it 6.573',
      ) as string,
    });
    expect(await run(() => rounds.ask({ attempt: 'second' }))).toMatchObject({ round: 1 });
  });

  it('refuses a step that is tried again once too often', async () => {
    await aggregated({ privacy });
    await expect(aggregated({ privacy })).rejects.toThrow('the privacy budget is ε = 5');
    expect(await bookings()).toHaveLength(1);
  });

  it('counts what rounds under earlier releases left in the state of the strategy', async () => {
    const state = encodeState({ ...stateFor('fedavg', null, 4), privacySpent: 1 });
    await logDeployment(world.producer, [{ type: 'server-state', kind: 'current', round: 1, state }]);
    await expect(run(() => rounds.ask({ attempt: 'a', privacy }))).rejects.toThrow('4.377 is spent');
  });
});

it('an adaptive norm goes on from what the last round booked, also where that one failed', async () => {
  const privacy: PrivacySettings = { ...fixed, clipNorm: 'adaptive' };
  await aggregated({ privacy });
  await aggregated({ round: 2, privacy });
  const [first, second] = await bookings();
  expect(first).toMatchObject({ clip_norm: 0.1, inverse_squares: 1 + 1 / 25, next_clip: { quantile: 0.5 } });
  expect(second?.clip_norm).toBe(first?.next_clip?.norm);
  expect(second?.clip_norm).not.toBe(0.1);
});

it('bookings stand in a table, each once', async () => {
  await aggregated({ privacy: fixed });
  const warehouse = await openWarehouse(':memory:');
  const connection = await warehouse.connect();
  const sink = await Sink.open(connection);
  const records = world.kafka.records(TOPICS.deployments.name)[0]!.map((record) => ({
    ...record,
    key: record.key?.toString('utf8') ?? null,
  }));
  await sink.store([{ topic: TOPICS.deployments.name, partition: 0, records }]);
  expect(
    await query(
      connection,
      'SELECT round, inverse_squares, clip_norm, round(epsilon, 3) AS epsilon FROM privacy_bookings',
    ),
  ).toEqual([{ round: 1, inverse_squares: 1, clip_norm: 0.5, epsilon: 4.377 }]);
  await warehouse.close();
});
