import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type WorkflowHandle } from '@temporalio/client';
import { createRoundsActivities } from '../../activities/rounds';
import { LatestModel } from '../../activities/shared/latest-model';
import { silentLogger } from '../../core/platform/log';
import { createSiteActivities } from '../../activities/site';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { type ChampionChange } from '../../core/contracts/live-checks';
import { type FederatedRoundResult } from '../../core/contracts/rounds';
import { type EvaluateInput, type EvaluateResult } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import { poll } from '../../cli/shared/wait';
import { NAMES } from '../support/names';
import { BEFORE_DECISION, resetTo } from '../support/reset-workflow';
import { CANDIDATE, CHAMPION, evaluationOf, type MockActivities } from '../support/smooth-round';
import { failureOf, startWorkflowWorld, type WorkflowWorld } from '../support/workflow-world';
import { activityWorld, type ActivityWorld } from '../unit/activities/world';

/**
 * Temporal's reset of a round, on a real server and with the real steps of sites and the rounds worker; only live windows are made up. What was sent before the
 * point of a reset is found, and what is sent behind it counts once.
 */
jest.setTimeout(120_000);

let world: WorkflowWorld;
let steps: ActivityWorld;
let models: string;

beforeAll(async () => {
  world = await startWorkflowWorld();
  steps = await activityWorld();
  models = await mkdtemp(join(tmpdir(), 'fedloop-models-'));
});
afterAll(async () => {
  await world.close();
  await rm(models, { recursive: true, force: true });
});
beforeEach(() => {
  world.reset();
  world.script({
    ...createRoundsActivities({
      ...steps,
      feedback: steps.site.feedback,
      roundId: NAMES.roundId,
      roundsQueue: NAMES.roundsQueue,
      latestModel: new LatestModel({
        folder: models,
        deployments: steps.deployments,
        feedback: steps.site.feedback,
        log: silentLogger(),
      }),
      searchAttributes: true,
    }),
    ...createSiteActivities(steps.site),
    evaluate: (input) => Promise.resolve(betterThanChampion(input)),
  });
});

/** Live windows on which the elected candidate is better. */
function betterThanChampion({ champion, elected }: EvaluateInput): EvaluateResult {
  const names = { [CHAMPION]: champion, [CANDIDATE]: elected };
  const evaluation = evaluationOf('promoted');
  const scores = evaluation.scores.map((score) => ({ ...score, version: names[score.version] ?? elected }));
  return { ...evaluation, scores };
}

const INPUT = { participants: 20, training: { windows: 60, epochs: 1 } };

async function startRound(): Promise<WorkflowHandle> {
  const { workflowId, firstExecutionRunId } = await world.client.workflow.start('federatedRound', {
    taskQueue: NAMES.roundsQueue,
    workflowId: NAMES.roundId,
    args: [INPUT],
  });
  return world.client.workflow.getHandle(workflowId, firstExecutionRunId);
}

const inForce = (): readonly string[] =>
  steps.deployments.inForce().map(({ version, stage: { stage } }) => `${version} ${stage}`);
const callsOf = (step: keyof MockActivities): number => world.calls.filter((call) => call === step).length;

/** A round at a step of each kind; all of them with FEDLOOP_RESETS=all. */
const STEPS =
  process.env['FEDLOOP_RESETS'] === 'all'
    ? BEFORE_DECISION
    : (['ask', 'select', 'trainLocals', 'aggregate', 'scoreProposals', 'evaluate'] as const);

describe('a running round that is reset', () => {
  it.each(STEPS)(
    'to %s goes on from there, keeps what was sent before, and counts no update twice',
    async (step) => {
      const held = world.hold('evaluate');
      const round = await startRound();
      await held.reached;
      const again = await resetTo(world.client, round, step);
      held.release();
      const result = (await again.result()) as FederatedRoundResult;
      expect(result).toMatchObject({ decision: 'promoted', updates: { trained: 20, leftOut: {} } });
      const at = BEFORE_DECISION.indexOf(step);
      const calls = BEFORE_DECISION.map((known) => callsOf(known));
      expect(calls).toEqual(BEFORE_DECISION.map((_, index) => (index < at ? 1 : 2)));
      expect(inForce()).toEqual(
        expect.arrayContaining([`${result.version} champion`, `${result.champion} shadow`]),
      );
      expect(inForce()).toHaveLength(2);
    },
  );

  it('ends with its training, which does not notice', async () => {
    const held = world.hold('evaluate');
    const training = await world.client.workflow.start('federatedTraining', {
      taskQueue: NAMES.roundsQueue,
      workflowId: `reset-${Date.now()}`,
      args: [{ rounds: 1, round: INPUT }],
    });
    await held.reached;
    await resetTo(world.client, world.client.workflow.getHandle(NAMES.roundId), 'trainLocals');
    held.release();
    expect(await training.result()).toMatchObject({ rounds: 1, stopped: 'all rounds' });
  });
});

describe('a closed round that is reset', () => {
  /** How far the logs are, and what serves: what a reset must not change. */
  const state = async (): Promise<object> => ({
    deployments: await steps.kafka.offsets(TOPICS.deployments.name),
    inForce: inForce(),
    champion: steps.deployments.champion()?.version,
  });

  it('to its decision, with nothing since, ends as it was decided and changes nothing', async () => {
    const round = await startRound();
    const result = (await round.result()) as FederatedRoundResult;
    const before = await state();
    const again = await resetTo(world.client, round, 'decide');
    expect(await again.result()).toEqual(result);
    expect(await state()).toEqual(before);
  });

  it('to a step before it trains nothing anew, and says that the decision stands', async () => {
    const round = await startRound();
    await round.result();
    const before = await steps.kafka.offsets(TOPICS.updates.name);
    expect(await failureOf(await resetTo(world.client, round, 'trainLocals'))).toContain(
      'was decided (promoted) before its run was reset, and that stands: nothing was changed',
    );
    expect(await steps.kafka.offsets(TOPICS.updates.name)).toEqual(before);
  });

  it('after a later promotion changes nothing, whatever the step, and says why', async () => {
    const round = await startRound();
    const { round: number } = (await round.result()) as FederatedRoundResult;
    await (await startRound()).result();
    const before = await state();
    for (const step of [...BEFORE_DECISION, 'decide'] as const) {
      expect(await failureOf(await resetTo(world.client, round, step))).toContain(
        `round ${number + 1} has come after round ${number}, whose run was reset: nothing was changed`,
      );
      expect(await state()).toEqual(before);
    }
    expect(world.calls).not.toContain('withdraw');
  });
});

describe('a live evaluation that is reset', () => {
  it('does not carry out once more what it was asked for before: the champion may have been changed since', async () => {
    await (await startRound()).result();
    const { version, champion } = (await (await startRound()).result()) as FederatedRoundResult;
    const evaluation = await world.client.workflow.start('continuousEvaluation', {
      taskQueue: NAMES.roundsQueue,
      workflowId: NAMES.evaluationId,
      args: [{ checkEvery: '1h' }],
    });
    const asked = await evaluation.executeUpdate<ChampionChange, [object]>('rollback', {
      args: [{ version, reason: 'bad since the firmware', by: 'Ada' }],
    });
    expect(asked).toMatchObject({ changed: true, champion });
    await world.client.workflow.execute('changeChampion', {
      taskQueue: NAMES.roundsQueue,
      workflowId: NAMES.championId,
      args: [{ action: 'promote', version, reason: 'the firmware was mended', by: 'Carl' }],
    });
    const again = await resetTo(world.client, evaluation, 'rollback');
    const told = async (): Promise<readonly string[]> =>
      (await again.query<EvaluationProgress>('progress')).news.map(({ what }) => what);
    await poll(async () => ((await told()).length > 0 ? true : undefined), {
      everyMillis: 100,
      timeoutMillis: 30_000,
    });
    expect(await told()).toEqual([expect.stringContaining('is not carried out again')]);
    expect(steps.deployments.champion()).toMatchObject({ version, stage: { by: 'Carl' } });
    await again.terminate();
  });
});
