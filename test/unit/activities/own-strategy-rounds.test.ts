import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRoundsActivities, type RoundsActivities } from '../../../activities/rounds';
import { LatestModel } from '../../../activities/shared/latest-model';
import { createSiteActivities, type SiteActivities } from '../../../activities/site';
import { partsFor } from '../../../core/contracts/rounds';
import { ownStrategySchema, type OwnStrategyName } from '../../../core/contracts/strategies';
import { type AggregateResult, type DeployResult } from '../../../core/contracts/steps';
import { versionIdSchema } from '../../../core/contracts/ids';
import { decodeState } from '../../../core/federation/strategies/server-state';
import { silentLogger } from '../../../core/platform/log';
import { activityEnvironment, activityWorld, sentKeys, type ActivityWorld } from './world';
import { NAMES } from '../../support/names';

/** Rounds with a strategy of one's own, as the steps of workers play them. */
let world: ActivityWorld;
let folder: string;
let site: SiteActivities;

beforeEach(async () => {
  world = await activityWorld();
  folder = await mkdtemp(join(tmpdir(), 'fedloop-strategies-'));
  site = createSiteActivities(world.site);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** @param strategies the folder that the worker's operator allows */
function roundsWith(strategies: string | undefined = folder): RoundsActivities {
  const { feedback } = world.site;
  return createRoundsActivities({
    ...world,
    ...{ roundId: NAMES.roundId, roundsQueue: NAMES.roundsQueue, searchAttributes: true },
    strategies,
    feedback,
    latestModel: new LatestModel({
      folder: '/nowhere',
      deployments: world.deployments,
      feedback,
      log: silentLogger(),
    }),
  });
}

function run<Result>(step: () => Promise<Result>): Promise<Result> {
  return activityEnvironment().environment.run(step);
}

const MINE = ownStrategySchema.parse('./mine.js');

const planOf = (strategy: OwnStrategyName): ReturnType<ActivityWorld['plan']> =>
  world.plan({ strategy, parts: partsFor(strategy, {}), strategySettings: {} });

async function aggregated(rounds: RoundsActivities): Promise<AggregateResult> {
  const plan = planOf(MINE);
  await run(() => site.describeSite({ round: 1, attempt: 'this-try', withFeatureSums: false }));
  const trained = await run(() => site.trainLocals(plan));
  return run(() => rounds.aggregate(plan, { last: trained.last, feedbackUsed: {} }, -1, []));
}

const FIRST_ALONE = `
  exports.aggregate = (updates, { base, state }) => ({
    delta: base.map((value, at) => 0.5 * updates[0].delta[at]),
    weights: updates.map((_, index) => (index === 0 ? 1 : 0)),
    state: { m: base },
  });
`;

it('a round’s version says which strategy made it, by its name and the hash of its file', async () => {
  await writeFile(join(folder, 'mine.js'), FIRST_ALONE);
  const rounds = roundsWith();
  const result = await aggregated(rounds);
  const sha256 = createHash('sha256').update(FIRST_ALONE).digest('hex');
  expect(result).toMatchObject({ trained: 20, used: 1, wantsPanels: false, leftOut: { 'not-chosen': 19 } });
  expect(result.feedbackUsed).toMatchObject({ strategy_sha256: sha256 });
  const deployed = await run<DeployResult>(() => rounds.deploy(planOf(MINE), result, []));
  expect(deployed.feedbackUsed).toMatchObject({ strategy_sha256: sha256 });
  const version = world.deployments.find(versionIdSchema.parse('v1'));
  expect(version?.message.lineage).toMatchObject({
    strategy: './mine.js',
    devices: 1,
    feedback_used: { strategy_sha256: sha256 },
  });
});

it('a strategy’s state is kept for the next round', async () => {
  await writeFile(join(folder, 'mine.js'), FIRST_ALONE);
  await aggregated(roundsWith());
  await world.deployments.sync();
  const state = decodeState(world.deployments.serverState('pending')?.state ?? '');
  expect(state).toMatchObject({ strategy: './mine.js', steps: 1 });
  expect(Object.keys(state.vectors)).toEqual(['m']);
});

it.each([
  [
    'throws',
    'exports.aggregate = () => {\n  throw new Error("no");\n};',
    'strategy ./mine.js: Error: no (mine.js:2)',
  ],
  [
    'ends its process',
    'exports.aggregate = () => process.exit(1);',
    'strategy ./mine.js: the module ended its process (exit code 1)',
  ],
  [
    'makes no numbers',
    'exports.aggregate = (_, { base }) => ({ delta: base.map(() => NaN) });',
    'strategy ./mine.js: the step’s delta has a number that is not finite at place 0: NaN',
  ],
])(
  'one that %s fails the step for good, publishes nothing, and the worker goes on',
  async (_, text, message) => {
    await writeFile(join(folder, 'mine.js'), text);
    const rounds = roundsWith();
    await expect(aggregated(rounds)).rejects.toMatchObject({
      type: 'StrategyFailed',
      nonRetryable: true,
      message,
    });
    expect(sentKeys(world).filter((key) => key?.startsWith('candidate/'))).toEqual([]);
    expect(world.deployments.champion()?.version).toBe('v0');
    await writeFile(join(folder, 'mine.js'), FIRST_ALONE);
    expect(await aggregated(rounds)).toMatchObject({ used: 1 });
  },
);

describe('before anything is trained', () => {
  const ask = (strategies?: string, settings = {}): Promise<unknown> =>
    run(() => roundsWith(strategies).ask({ attempt: 'a', own: { strategy: MINE, settings } }));

  it('a worker without a folder refuses, and says what to set', async () => {
    const none = createRoundsActivities({
      ...world,
      ...{ roundId: NAMES.roundId, roundsQueue: NAMES.roundsQueue, searchAttributes: true },
      feedback: world.site.feedback,
      latestModel: { publish: () => Promise.resolve() },
    });
    await expect(
      run(() => none.ask({ attempt: 'a', own: { strategy: MINE, settings: {} } })),
    ).rejects.toMatchObject({
      type: 'InvalidConfig',
      nonRetryable: true,
      message:
        'strategy ./mine.js: this rounds worker allows no strategies of your own. Start it with FEDLOOP_STRATEGIES=FOLDER, the folder with the modules that it may load.',
    });
  });

  it('a module that is not there, or does not take the settings, fails the round', async () => {
    await expect(ask()).rejects.toMatchObject({ type: 'NotFound', nonRetryable: true });
    await writeFile(join(folder, 'mine.js'), FIRST_ALONE);
    expect(await ask()).toMatchObject({ round: 1 });
    await expect(ask(folder, { beta: 1 })).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});
