import { type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { type SettingsInForce } from '../../core/contracts/control';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { FIRST_VERSION } from '../../core/contracts/ids';
import { type ChampionCheck, type CheckChampionResult } from '../../core/contracts/live-checks';
import { CANDIDATE, CHAMPION, checkOf, type MockActivities } from '../support/smooth-round';
import {
  failureOf,
  record,
  startWorkflowWorld,
  STREAM_WORKER,
  type WorkflowWorld,
} from '../support/workflow-world';
import { joinEvaluation, untilProgress } from '../support/live-evaluation';
import { NAMES } from '../support/names';

jest.setTimeout(120_000);

let world: WorkflowWorld;
let evaluation: WorkflowHandle;
beforeAll(async () => {
  world = await startWorkflowWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.reset();
});
afterEach(async () => {
  await evaluation.terminate().catch(() => undefined);
});

/** Start it as a stream worker does. */
async function join(input: object = {}): Promise<WorkflowHandle> {
  evaluation = await joinEvaluation(world, input);
  return evaluation;
}

const progressOf = (): Promise<EvaluationProgress> => evaluation.query<EvaluationProgress>('progress');
const callsOf = (name: keyof MockActivities): number => world.calls.filter((call) => call === name).length;
const pause = (): Promise<unknown> => new Promise((wake) => setTimeout(wake, 30));
const until = (is: (progress: EvaluationProgress) => boolean): Promise<EvaluationProgress> =>
  untilProgress(evaluation, is);
/** Cancel, and wait until it has ended. */
async function finish(name?: string): Promise<void> {
  await evaluation.cancel();
  await failureOf(evaluation);
  if (name !== undefined) await record(name, evaluation);
}

async function emptyState(): Promise<EvaluationProgress> {
  await join();
  const state = await progressOf();
  await finish();
  return state;
}

const keep = { action: 'keep', reason: 'not worse' } as const;
const goBack = { action: 'rollback', to: CHAMPION, reason: '5 points worse than v2' } as const;

describe('the leases of stream workers', () => {
  it('are granted to whoever joins, and renewed when they run out', async () => {
    let first = true;
    const held = world.hold('evaluateStream');
    await join();
    await held.reached;
    world.script({
      evaluateStream: () => {
        if (!first) return Promise.resolve({ ended: 'worker leaves', partitions: [] });
        first = false;
        return Promise.resolve({ ended: 'run out', partitions: [] });
      },
    });
    expect((await progressOf()).workers).toEqual([STREAM_WORKER]);
    held.release();
    const progress = await until(({ workers }) => workers.length === 0);
    expect(callsOf('evaluateStream')).toBe(2);
    expect(progress.news.at(-1)?.what).toBe(`${STREAM_WORKER} left`);
    await finish('evaluation-lease-renewed');
  });

  it('are not doubled by a worker that joins twice', async () => {
    await join();
    await join();
    await until(({ workers }) => workers.length === 1);
    await pause();
    expect(callsOf('evaluateStream')).toBe(1);
    await finish();
  });

  it('are not given to what fits no schema, or to names that nobody answers to', async () => {
    await join();
    await until(({ workers }) => workers.length === 1);
    for (const raw of [{}, null, { worker: 'A b' }, { worker: 7 }, []]) await evaluation.signal('join', raw);
    for (let ghost = 0; ghost < 20; ghost += 1) await evaluation.signal('join', { worker: `ghost-${ghost}` });
    const before = (await progressOf()).checks;
    const { workers, news } = await until(({ checks }) => checks > before + 1);
    expect(workers).toEqual([STREAM_WORKER]);
    expect(news.map(({ what }) => what)).toEqual([
      `${STREAM_WORKER} evaluates`,
      'passed over a signal "join" that names no worker',
    ]);
    await finish();
  });

  it('end with a worker that is gone, and are granted anew when it comes back', async () => {
    world.script({ evaluateStream: () => Promise.reject(new Error('killed')) });
    await join();
    await until(({ news }) => news.at(-1)?.what === `${STREAM_WORKER} stopped responding`);
    world.reset();
    await join();
    await until(({ workers }) => workers.length === 1);
    await finish('evaluation-worker-gone');
  });

  it('are cancelled with the workflow, which waits until the workers have drained', async () => {
    const drained: string[] = [];
    const smooth = (await import('@temporalio/activity')).Context;
    world.script({
      async evaluateStream() {
        const context = smooth.current();
        const timer = setInterval(() => {
          context.heartbeat();
        }, 50);
        try {
          return await context.cancelled;
        } finally {
          clearInterval(timer);
          await new Promise((wake) => setTimeout(wake, 300));
          drained.push(context.cancellationDetails?.cancelRequested === true ? 'drained' : 'dropped');
        }
      },
    });
    await join();
    await until(() => world.calls.includes('evaluateStream'));
    await finish('evaluation-cancelled');
    expect(drained).toEqual(['drained']);
  });

  it('go along when the workflow continues as new', async () => {
    evaluation = await world.client.workflow.start('continuousEvaluation', {
      workflowId: NAMES.evaluationId,
      taskQueue: NAMES.roundsQueue,
      args: [
        { checkEvery: '100ms' },
        { ...(await emptyState()), workers: [STREAM_WORKER], checks: 7, rollbacks: 1 },
      ],
    });
    const progress = await until(({ checks }) => checks > 7);
    expect(progress).toMatchObject({ workers: [STREAM_WORKER], rollbacks: 1 });
    await finish('evaluation-carried-on');
  });
});

describe('live checks', () => {
  it('roll back a champion that has fallen behind its predecessor, once', async () => {
    let serving: ChampionCheck['verdict'] = goBack;
    world.script({
      checkChampion: () =>
        Promise.resolve({ outcome: 'judged', check: checkOf(serving), asksForRound: null }),
      rollback: ({ version = CHAMPION, reason }) => {
        serving = keep;
        return Promise.resolve({ champion: CHAMPION, previous: version, changed: true, reason });
      },
    });
    await join();
    const progress = await until(({ rollbacks }) => rollbacks === 1);
    expect(progress.news.at(-1)?.what).toBe('rolled back v3 to v2: 5 points worse than v2');
    await until(({ checks }) => checks > progress.checks + 1);
    expect(callsOf('rollback')).toBe(1);
    expect(world.argumentsOf('rollback')).toEqual([
      { version: CANDIDATE, to: CHAMPION, reason: '5 points worse than v2', by: 'fedloop' },
    ]);
    expect(world.argumentsOf('checkChampion')[0]).toMatchObject({ dealtWith: 90 });
    await finish('evaluation-rollback');
  });

  it('only say so where rollback and rounds on drift are off', async () => {
    world.script({
      checkChampion: () =>
        Promise.resolve({ outcome: 'judged', check: checkOf(goBack), asksForRound: 'adwin found drift' }),
    });
    await join({ rollback: 'off', onDrift: 'off' });
    const progress = await until(({ checks }) => checks >= 3);
    expect(progress.news.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        'v3 should go: 5 points worse than v2 (rollback is off)',
        'drift: adwin found drift (rounds on drift are off)',
      ]),
    );
    expect(world.calls).not.toContain('rollback');
    expect(world.calls).not.toContain('ask');
    await finish('evaluation-watches-only');
  });

  it('ask for one round when the champion drifts, and not for another soon after', async () => {
    world.script({
      checkChampion: () =>
        Promise.resolve({ outcome: 'judged', check: checkOf(keep), asksForRound: 'adwin found drift' }),
    });
    await join();
    await until(({ roundsAskedFor }) => roundsAskedFor === 1);
    expect(await world.client.workflow.getHandle(NAMES.roundId).result()).toMatchObject({ round: 3 });
    const progress = await until(({ checks }) => checks >= 4);
    expect(progress.roundsAskedFor).toBe(1);
    expect(progress.news.at(-1)?.what).toContain('began less than 30m ago');
    await finish('evaluation-drift');
  });

  it('go on after one that fails', async () => {
    let failed = false;
    world.script({
      checkChampion: () => {
        if (failed) return Promise.resolve({ outcome: 'no-news', champion: CHAMPION });
        failed = true;
        return Promise.reject(ApplicationFailure.nonRetryable('the tables are away', 'NotFound'));
      },
    });
    await join();
    const progress = await until(({ champion }) => champion === CHAMPION);
    expect(progress.news.map(({ what }) => what)).toContain('a check failed: the tables are away');
    await finish('evaluation-check-failed');
  });

  it('are held by pause and go by changed settings', async () => {
    await join({ checkEvery: '1h' });
    await evaluation.executeUpdate('pause');
    await evaluation.executeUpdate('changeSettings', { args: [{ checkEvery: '50ms' }] });
    await new Promise((wake) => setTimeout(wake, 300));
    expect((await progressOf()).checks).toBe(0);
    await evaluation.executeUpdate('resume');
    await until(({ checks }) => checks > 0);
    await finish('evaluation-paused');
  });

  it('keep a pause and changed settings, and who changed them, in the runs that continue them', async () => {
    await join();
    const { runId: first } = await evaluation.describe();
    await evaluation.executeUpdate('changeSettings', {
      args: [{ round: { participants: 20, approval: 'manual' }, by: 'Ada', reason: 'a trial' }],
    });
    const held = world.hold('checkChampion');
    await held.reached;
    // While a check runs, so that the pause begins in the run that ends with it.
    await evaluation.executeUpdate('pause', { args: [{ reason: 'maintenance' }] });
    held.release();
    await until(({ paused }) => paused === 'maintenance');
    // A run ends when its history is long, also while it is paused: signals make it so.
    for (let sent = 0; sent < 4_000; sent += 200)
      await Promise.all(Array.from({ length: 200 }, () => evaluation.signal('join', { worker: '' })));
    evaluation = world.client.workflow.getHandle(NAMES.evaluationId);
    while ((await evaluation.describe()).runId === first) await pause();
    expect(await progressOf()).toMatchObject({ paused: 'maintenance' });
    const { settings, changes } = await evaluation.query<SettingsInForce>('settings');
    expect(settings).toMatchObject({ checkEvery: '100ms', round: { participants: 20, approval: 'manual' } });
    expect(changes).toMatchObject([
      {
        by: 'Ada',
        reason: 'a trial',
        before: { round: { participants: 'all', approval: 'automatic' } },
        after: { round: { participants: 20, approval: 'manual' } },
      },
    ]);
    await finish();
  });

  it('are paused from the start of a run that continues a paused one', async () => {
    evaluation = await world.client.workflow.start('continuousEvaluation', {
      workflowId: NAMES.evaluationId,
      taskQueue: NAMES.roundsQueue,
      args: [{ checkEvery: '10ms' }, { ...(await emptyState()), paused: 'maintenance' }],
    });
    await new Promise((wake) => setTimeout(wake, 300));
    expect(await progressOf()).toMatchObject({ paused: 'maintenance', checks: 0 });
    await finish();
  });
});

describe('the first round', () => {
  const noChampion = (): Promise<CheckChampionResult> =>
    Promise.resolve({ outcome: 'nothing-to-judge', champion: null });

  it('starts by itself while there is no champion, waits for windows, and is not started again soon', async () => {
    world.script({ checkChampion: noChampion });
    await join({ firstRound: 'auto' });
    const { news } = await until(({ checks }) => checks >= 3);
    expect(news.map(({ what }) => what)).toEqual([
      `${STREAM_WORKER} evaluates`,
      'the first round has begun; it waits for the fleet’s windows',
    ]);
    await world.client.workflow.getHandle(NAMES.roundId).result();
    expect(callsOf('siteReadiness')).toBe(1);
    expect(callsOf('ask')).toBe(1);
    await finish('evaluation-first-round');
  });

  it('is left to people where the input says so, and is over once a trained version has served', async () => {
    world.script({ checkChampion: noChampion });
    await join();
    await until(({ checks }) => checks >= 2);
    await finish();
    world.script({ checkChampion: () => Promise.resolve({ outcome: 'no-news', champion: CHAMPION }) });
    await join({ firstRound: 'auto' });
    await until(({ champion }) => champion === CHAMPION);
    world.script({ checkChampion: () => Promise.resolve({ outcome: 'no-news', champion: FIRST_VERSION }) });
    await until(({ champion }) => champion === FIRST_VERSION);
    await until(({ checks }) => checks > 4);
    expect(callsOf('ask')).toBe(0);
    await finish();
  });
});

describe('a rollback by hand', () => {
  const refusal = (input?: unknown): Promise<string> =>
    evaluation.executeUpdate('rollback', { args: [input] }).then(
      () => 'accepted',
      (thrown: unknown) => String(thrown instanceof Error ? thrown.cause : thrown),
    );

  it('takes out of service the champion that the last check has seen', async () => {
    world.script({ checkChampion: () => Promise.resolve({ outcome: 'no-news', champion: CANDIDATE }) });
    await join();
    await until(({ champion }) => champion === CANDIDATE);
    const args: [object] = [{ by: 'Ada', reason: 'looks wrong' }];
    await evaluation.executeUpdate('rollback', { updateId: 'asked-once', args });
    expect(world.argumentsOf('rollback')).toEqual([
      { version: CANDIDATE, by: 'Ada', reason: 'looks wrong' },
      'asked-once',
    ]);
    expect((await progressOf()).rollbacks).toBe(1);
    await finish('evaluation-rollback-by-hand');
  });

  it('is of what serves, whatever that is, while checks are paused', async () => {
    world.script({ checkChampion: () => Promise.resolve({ outcome: 'no-news', champion: CANDIDATE }) });
    await join();
    await until(({ champion }) => champion === CANDIDATE);
    await evaluation.executeUpdate('pause', { args: [{ by: 'Ada', reason: 'holidays' }] });
    await evaluation.executeUpdate('rollback', { args: [{ by: 'Ada', reason: 'looks wrong' }] });
    expect(world.argumentsOf('rollback')[0]).toEqual({ by: 'Ada', reason: 'looks wrong' });
    await finish();
  });

  it('is refused for what is no version, and while nobody knows the champion', async () => {
    await join({ checkEvery: '1h' });
    expect(await refusal({ to: 'the last one' })).toContain('a version is named');
    expect(await refusal({ reasons: 'x' })).toContain('did you mean "reason"?');
    expect(await refusal()).toContain('no check has seen a champion yet');
    await finish();
  });
});

it('an evaluation under another id is refused: a deployment has one', async () => {
  evaluation = await world.client.workflow.start('continuousEvaluation', {
    workflowId: 'by-hand',
    taskQueue: NAMES.roundsQueue,
    args: [],
  });
  expect(await failureOf(evaluation)).toContain('start it under the workflow id fedloop-evaluation');
});
