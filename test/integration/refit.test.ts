import { type WorkflowHandle } from '@temporalio/client';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { type RefitResult } from '../../core/contracts/refits';
import { type RoundProgress } from '../../core/contracts/steps';
import { CANDIDATE, CHAMPION, checkOf, evaluationOf } from '../support/smooth-round';
import { failureOf, record, startWorkflowWorld, type WorkflowWorld } from '../support/workflow-world';
import { joinEvaluation, untilProgress } from '../support/live-evaluation';
import { NAMES } from '../support/names';

jest.setTimeout(120_000);

/** The workflow `refitChampion`, and how the evaluation asks for it, with activities that do as they are told. */
let world: WorkflowWorld;
beforeAll(async () => {
  world = await startWorkflowWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.reset();
});

const startRefit = (...args: unknown[]): Promise<WorkflowHandle> =>
  world.client.workflow.start('refitChampion', {
    workflowId: NAMES.roundId,
    taskQueue: NAMES.roundsQueue,
    args,
  });

describe('a refit between rounds', () => {
  it('trains nothing, and is judged as a candidate of a round is', async () => {
    const refit = await startRefit();
    expect((await refit.result()) as RefitResult).toMatchObject({
      round: 3,
      version: CANDIDATE,
      champion: CHAMPION,
      decision: 'promoted',
      role: 'responsive',
      updates: { trained: 0, used: 0, leftOut: {} },
      feedbackUsed: { refit_of: CHAMPION },
    });
    expect(world.calls).toEqual([
      'ask',
      'describeSite',
      'select',
      'proposeChampion',
      'sumPanels',
      'refit',
      'scoreProposals',
      'deployRefit',
      'evaluate',
      'decide',
      'feedBack',
    ]);
    await record('refit-promoted', refit);
  });

  it('ends with the reason where panel B does not find it better, and no window is spent on it', async () => {
    const reason = 'panel B does not find the refit of v2 better: 81.00 against 82.00 of 100';
    world.script({ deployRefit: () => Promise.resolve({ outcome: 'refused', reason }) });
    const refit = await startRefit();
    expect(await refit.result()).toEqual({
      reason,
      decision: 'kept',
      round: 3,
      version: null,
      champion: CHAMPION,
    });
    expect(world.calls).not.toContain('evaluate');
    expect(await refit.query<RoundProgress>('progress')).toMatchObject({ step: 'done', decision: 'kept' });
    await record('refit-refused', refit);
  });

  it('that is cancelled leaves no candidate in force', async () => {
    const evaluating = world.hold('evaluate');
    const refit = await startRefit();
    await evaluating.reached;
    await refit.cancel();
    evaluating.release();
    await failureOf(refit);
    expect(world.calls).toContain('withdraw');
  });

  it('needs the round lock: under another id it is refused with the one that it needs', async () => {
    const refit = await world.client.workflow.start('refitChampion', {
      workflowId: `refit-${Date.now()}`,
      taskQueue: NAMES.roundsQueue,
    });
    expect(await failureOf(refit)).toContain(`start it under the workflow id ${NAMES.roundId}`);
  });
});

describe('the live evaluation', () => {
  let evaluation: WorkflowHandle;
  afterEach(async () => {
    await evaluation.terminate().catch(() => undefined);
  });

  const join = async (input: object): Promise<void> => {
    evaluation = await joinEvaluation(world, input);
  };
  const until = (is: (progress: EvaluationProgress) => boolean): Promise<EvaluationProgress> =>
    untilProgress(evaluation, is);

  it('starts one when a check asks for it, and says from which window on the next is due', async () => {
    world.script({
      checkChampion: ({ refit }) =>
        Promise.resolve({
          outcome: 'judged',
          check: checkOf({ action: 'keep', reason: 'fine' }),
          asksForRound: null,
          ...(refit?.askedAt === null && { asksForRefit: 13 }),
        }),
      evaluate: () => Promise.resolve(evaluationOf('rejected')),
    });
    await join({ refitEveryWindows: 12 });
    const { news } = await until(({ refitAskedAt }) => refitAskedAt === 90);
    expect(news.at(-1)?.what).toBe(
      'a refit has begun: the newest version knows nothing of the last 13 windows',
    );
    expect(await world.client.workflow.getHandle(NAMES.roundId).result()).toMatchObject({
      decision: 'rejected',
    });
    const { checks } = await until(() => true);
    await until((later) => later.checks > checks + 1);
    expect(world.argumentsOf('checkChampion')[0]).toMatchObject({ refit: { everyWindows: 12, askedAt: 90 } });
    expect(world.calls.filter((call) => call === 'proposeChampion')).toHaveLength(1);
    await evaluation.cancel();
    await failureOf(evaluation);
    await record('evaluation-refit', evaluation);
  });

  it('has a round on drift wait for the refit that runs', async () => {
    let look = 0;
    world.script({
      checkChampion: () => {
        look += 1;
        return Promise.resolve({
          outcome: 'judged',
          check: checkOf({ action: 'keep', reason: 'fine' }),
          asksForRound: look === 2 ? 'adwin found drift' : null,
          ...(look === 1 && { asksForRefit: 13 }),
        });
      },
    });
    const evaluating = world.hold('evaluate');
    await join({ refitEveryWindows: 12 });
    await evaluating.reached;
    await until(({ roundsAskedFor }) => roundsAskedFor === 1);
    expect(world.calls).not.toContain('trainLocals');
    evaluating.release();
    const round = world.client.workflow.getHandle(`${NAMES.evaluationId}-round`);
    expect(await round.result()).toMatchObject({ decision: 'promoted', updates: { trained: 42 } });
    await until(({ refitRuns }) => refitRuns === false);
  });

  it.each([
    ['is off, as in evaluations that earlier releases have started', {}],
    [
      'belongs to a part that rounds have switched off',
      { refitEveryWindows: 12, round: { parts: { refit: false } } },
    ],
    ['belongs to a strategy without refits', { refitEveryWindows: 12, round: { strategy: 'fedavg' } }],
  ])('asks for none where it %s', async (_, input) => {
    await join(input);
    await until(({ checks }) => checks > 1);
    expect(world.argumentsOf('checkChampion')[0]).not.toHaveProperty('refit');
  });
});
