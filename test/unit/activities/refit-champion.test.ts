import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRoundsActivities, type RoundsActivities } from '../../../activities/rounds';
import { createSiteActivities, type SiteActivities } from '../../../activities/site';
import { LatestModel } from '../../../activities/shared/latest-model';
import { deployModels, trainedBase } from '../../../activities/shared/registry';
import { untrainedLineage, type Lineage, type Stage } from '../../../core/contracts/deployments';
import { versionIdSchema, type VersionId } from '../../../core/contracts/ids';
import { type RefitDeployment } from '../../../core/contracts/refits';
import { type SitePlan } from '../../../core/contracts/steps';
import { decodeState, encodeState, stateFor } from '../../../core/federation/strategies/server-state';
import { networkOfLinear } from '../../../core/federation/panels/linear';
import { initialWeights, weightOffsets } from '../../../core/model/network';
import { parameterCount, type FlatWeights } from '../../../core/model/types';
import { logDeployment } from '../../../core/model/deployments';
import { silentLogger } from '../../../core/platform/log';
import { NAMES } from '../../support/names';
import { SHAPE } from '../../support/task';
import { activityEnvironment, activityWorld, V0, type ActivityWorld } from './world';

/** A refit between rounds, step by step, after a round that was promoted. */
let world: ActivityWorld;
let site: SiteActivities;
let rounds: RoundsActivities;
let models: string;
const V1 = versionIdSchema.parse('v1');

beforeEach(async () => {
  world = await activityWorld();
  models = await mkdtemp(join(tmpdir(), 'fedloop-models-'));
  const { deployments } = world;
  const { feedback } = world.site;
  site = createSiteActivities(world.site);
  rounds = createRoundsActivities({
    ...world,
    roundId: NAMES.roundId,
    roundsQueue: NAMES.roundsQueue,
    searchAttributes: true,
    feedback,
    latestModel: new LatestModel({ folder: models, deployments, feedback, log: silentLogger() }),
  });
});
afterEach(() => rm(models, { recursive: true, force: true }));

function run<Result>(step: () => Promise<Result>): Promise<Result> {
  return activityEnvironment().environment.run(step);
}

async function judgeOnPanels(plan: SitePlan, proposals: readonly string[]): Promise<void> {
  await run(() => site.sumPanels(plan));
  const made = await run(() => rounds.refit(plan));
  await run(() => site.scoreProposals(plan, [...proposals, ...made]));
}

const decided = (
  plan: SitePlan,
  elected: VersionId,
  candidates: readonly VersionId[],
  decision: 'promoted' | 'rejected',
): Promise<unknown> =>
  run(() =>
    rounds.decide({
      round: plan.round,
      attempt: plan.attempt,
      champion: plan.champion,
      elected,
      candidates,
      evaluation: {
        windows: { count: 1, from: 0, until: 0 },
        scores: [],
        pairedChange: { mean: 0, low: 0, high: 0 },
        verdict: { decision, reason: 'so' },
      },
    }),
  );

/** v1 serves: a network that forecasts a change of one and a half tolerances, whatever it sees. */
async function constantChampion(role: 'steady' | 'responsive' = 'steady'): Promise<void> {
  const weights = new Float32Array(parameterCount(SHAPE));
  weights[weightOffsets(SHAPE).b2] = 1.5;
  await serving([{ version: V1, weights, role, network: null, stage: 'champion' }]);
}

/** v1 serves: a linear model that forecasts ten tolerances too much. Beside it stands the network of its round. */
async function linearChampion(): Promise<void> {
  const weights = networkOfLinear(SHAPE, [...Array<number>(SHAPE.inputs).fill(0), 10]);
  await serving([
    { version: V1, weights, role: 'linear', network: 'steady', stage: 'champion' },
    {
      version: versionIdSchema.parse('v1-steady'),
      weights: initialWeights(SHAPE, 2),
      role: 'steady',
      network: null,
      stage: 'retired',
    },
  ]);
}

/** What round 1 has made and decided, with a strategy that remembers something. */
async function serving(
  made: readonly (Pick<Lineage, 'role' | 'network'> & {
    readonly version: VersionId;
    readonly weights: FlatWeights;
    readonly stage: Stage;
  })[],
): Promise<void> {
  const { metadata } = world.deployments.find(V0)!.model;
  const lineage = { ...untrainedLineage(1), round: 1, strategy: 'closed-loop', parents: [V0], attempt: 'a' };
  await deployModels(
    world.producer,
    world.deployments,
    made.map(({ version, weights, role, network }) => ({
      model: { metadata: { ...metadata, version }, weights },
      lineage: { ...lineage, role, network, training: 'a', data_until: 0 },
    })),
    [
      ...made.map(({ version, stage }) => ({ version, stage, round: 1, reason: 'so' })),
      { version: V0, stage: 'shadow', round: 1, reason: 'so' },
    ],
  );
  const vectors = { momentum: new Float32Array(parameterCount(SHAPE)).fill(0.5) };
  const state = encodeState({ ...stateFor('closed-loop', null, parameterCount(SHAPE)), steps: 3, vectors });
  await logDeployment(world.producer, [{ type: 'server-state', kind: 'current', round: 1, state }]);
  await world.deployments.sync();
}

/** Up to what panel B says. */
async function refitted(champion = V1, round = 2): Promise<{ plan: SitePlan; made: RefitDeployment }> {
  const begun = world.plan({ round, attempt: `refit-${round}`, champion });
  await run(() => site.describeSite({ ...begun, withFeatureSums: false }));
  const { proposal, parts } = await run(() => rounds.proposeChampion(begun));
  const plan = { ...begun, parts };
  await judgeOnPanels(plan, [proposal]);
  return { plan, made: await run(() => rounds.deployRefit(plan)) };
}

function deployedBy(made: RefitDeployment): Extract<RefitDeployment, { outcome: 'deployed' }>['deployed'] {
  if (made.outcome === 'refused') throw new Error(`expected a candidate: ${made.reason}`);
  return made.deployed;
}

const lineageOf = (version: VersionId) => world.deployments.find(version)!.message.lineage;

describe('a refit of a network', () => {
  it('is a candidate that differs from the champion in its output layer alone', async () => {
    await constantChampion();
    const { elected, candidates } = deployedBy((await refitted()).made);
    expect(candidates).toEqual(['v2']);
    const [before, after] = [V1, elected.version].map((version) => world.deployments.find(version)!.model);
    const { inputs, hidden } = after!.metadata.shape;
    const inner = inputs * hidden + hidden;
    expect(after!.weights.slice(0, inner)).toEqual(before!.weights.slice(0, inner));
    expect(after!.weights.slice(inner)).not.toEqual(before!.weights.slice(inner));
    expect(after!.metadata.residualStddev).toBeGreaterThan(0);
  });

  it('says of itself what it was made of: the champion, no devices’ updates, a day’s windows', async () => {
    await constantChampion();
    const { plan, made } = await refitted();
    const lineage = lineageOf(deployedBy(made).elected.version);
    expect(lineage).toMatchObject({
      round: 2,
      parents: ['v1'],
      role: 'steady',
      devices: 0,
      training: null,
      data_until: plan.trainUntil,
      feedback_used: { refit_of: 'v1', refit: 'accepted', impossible_panel_scores: 0 },
    });
    expect(world.deployments.find(versionIdSchema.parse('v2'))!.stage.reason).toBe(
      'v1 refitted to the last 24 windows, between rounds',
    );
  });

  it('follows the freshest six windows where the champion is the responsive one', async () => {
    await constantChampion('responsive');
    const { elected } = deployedBy((await refitted()).made);
    expect(lineageOf(elected.version).role).toBe('responsive');
    expect(world.deployments.find(elected.version)!.stage.reason).toContain('the last 6 windows');
  });

  it('leaves the strategy where it stands, also when the live windows reject it', async () => {
    await constantChampion();
    const before = decodeState(world.deployments.serverState('current')!.state);
    const { plan, made } = await refitted();
    const { elected, candidates } = deployedBy(made);
    await decided(plan, elected.version, candidates, 'rejected');
    const now = world.deployments.serverState('current')!;
    expect([now.round, now.decided?.decision]).toEqual([2, 'rejected']);
    expect(decodeState(now.state)).toEqual(before);
    expect(world.deployments.champion()?.version).toBe('v1');
  });

  it('is what the next round trains from once it serves', async () => {
    await constantChampion();
    const { plan, made } = await refitted();
    const { elected, candidates } = deployedBy(made);
    await decided(plan, elected.version, candidates, 'promoted');
    expect(world.deployments.champion()?.version).toBe('v2');
    expect(trainedBase(world.deployments, elected.version).version).toBe('v2');
  });

  it('is no candidate where panel B does not find it better, and the sentence has both figures', async () => {
    await constantChampion();
    await decided(
      (await refitted()).plan,
      versionIdSchema.parse('v2'),
      [versionIdSchema.parse('v2')],
      'promoted',
    );
    // A second refit to the same readings finds nothing more.
    const { made } = await refitted(versionIdSchema.parse('v2'), 3);
    expect(made).toEqual({
      outcome: 'refused',
      reason: expect.stringMatching(
        /^(no refit of v2|panel B does not find the refit of v2 better: [\d.]+ against)/,
      ) as string,
    });
    expect(world.deployments.find(versionIdSchema.parse('v3'))).toBeUndefined();
  });
});

describe('a refit of a linear champion', () => {
  it('fits the linear model anew, and rounds go on from the network that was made beside the one before', async () => {
    await linearChampion();
    const { plan, made } = await refitted();
    const { elected, candidates } = deployedBy(made);
    expect(lineageOf(elected.version)).toMatchObject({ role: 'linear', network: null, parents: ['v1'] });
    await decided(plan, elected.version, candidates, 'promoted');
    expect(trainedBase(world.deployments, elected.version).version).toBe('v1-steady');
  });
});

describe('a refit', () => {
  it('of a version that nobody has trained is refused', async () => {
    await expect(refitted(V0, 1)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('v0 was not trained: a refit of it learns nothing') as string,
    });
  });

  it('in a fleet that has booked noise is refused: its sums have none', async () => {
    await constantChampion();
    await logDeployment(world.producer, [
      {
        type: 'privacy-booking',
        round: 1,
        attempt: 'a',
        draw: 'one',
        inverse_squares: 1,
        clip_norm: 1,
        next_clip: null,
        delta: 1e-5,
        epsilon: 4,
        at: new Date(0).toISOString(),
      },
    ]);
    await expect(refitted()).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('a refit would release exact sums') as string,
    });
  });
});
