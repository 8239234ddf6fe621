import { type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { withFailureCodes } from '../../activities/shared/failures';
import { tellRun } from '../../activities/tell-run';
import { waitForTurn } from '../../activities/wait-for-turn';
import { nothingMeasured, type ContributionPlan } from '../../core/contracts/contribution';
import { FIRST_VERSION } from '../../core/contracts/ids';
import { type FederatedRoundResult, type FederatedTrainingResult } from '../../core/contracts/rounds';
import { type RoundProgress, type ScoreboardEntry, type TrainingProgress } from '../../core/contracts/steps';
import {
  CANDIDATE,
  evaluationOf,
  SELECTION,
  smoothRound,
  type MockActivities,
} from '../support/smooth-round';
import { failureOf, record, startWorkflowWorld, type WorkflowWorld } from '../support/workflow-world';
import { NAMES } from '../support/names';

jest.setTimeout(60_000);

let world: WorkflowWorld;
beforeAll(async () => {
  world = await startWorkflowWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.reset();
});

let started = 0;
function start(workflow: string, workflowId: string, ...args: unknown[]): Promise<WorkflowHandle> {
  return world.client.workflow.start(workflow, { taskQueue: NAMES.roundsQueue, workflowId, args });
}
/** A round under the fixed id: the one that plays. */
/** No version serves yet. */
const FIRST_ROUND: Partial<MockActivities> = {
  ask: () =>
    Promise.resolve({ round: 1, champion: null, feedback: null, evidence: [], searchAttributes: false }),
  evaluate: () => {
    const { scores, ...evaluation } = evaluationOf('promoted');
    const named = scores.map((score, at) => (at === 0 ? { ...score, version: FIRST_VERSION } : score));
    return Promise.resolve({ ...evaluation, scores: named });
  },
};

const startRound = (...args: unknown[]): Promise<WorkflowHandle> =>
  start('federatedRound', NAMES.roundId, ...args);
/** A workflow as people start it, under an id of its own. */
const startByHand = (workflow: string, ...args: unknown[]): Promise<WorkflowHandle> =>
  start(workflow, `by-hand-${(started += 1)}-${Date.now()}`, ...args);
const progressOf = (handle: WorkflowHandle): Promise<RoundProgress> =>
  handle.query<RoundProgress>('progress');
const callsOf = (name: keyof MockActivities): number => world.calls.filter((call) => call === name).length;

/** A site that has so many windows, of a second each. */
async function readyWith(windows: number): ReturnType<MockActivities['siteReadiness']> {
  const report = await smoothRound.siteReadiness({ trainingWindows: 336 });
  const settings = { ...report.settings, task: { lags: 24, windowMicros: 1_000_000 } };
  return { readiness: { ...report.readiness, windows }, settings };
}

async function detailsOf(handle: WorkflowHandle): Promise<string> {
  const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails ?? '';
}

/** Ask until the round says what is awaited; it says so within milliseconds. */
async function until(handle: WorkflowHandle, is: (progress: RoundProgress) => boolean): Promise<void> {
  while (!is(await progressOf(handle))) await new Promise((wake) => setTimeout(wake, 20));
}

describe('a round', () => {
  it('goes through its steps in order and promotes a candidate that the gate lets through', async () => {
    const round = await startRound();
    const result = (await round.result()) as FederatedRoundResult;
    expect(result).toMatchObject({ round: 3, version: CANDIDATE, decision: 'promoted', champion: 'v2' });
    expect(world.calls).toEqual([
      'ask',
      'describeSite',
      'select',
      'trainLocals',
      'scoreLocals',
      'aggregate',
      'sumPanels',
      'refit',
      'scoreProposals',
      'deploy',
      'evaluate',
      'decide',
      'feedBack',
    ]);
    await record('round-promoted', round);
  });

  it('rejects a candidate that the gate does not let through, and feeds that back', async () => {
    world.script({ evaluate: () => Promise.resolve(evaluationOf('rejected', 'worse')) });
    const round = await startRound();
    expect(await round.result()).toMatchObject({ decision: 'rejected', reason: 'worse' });
    expect(callsOf('feedBack')).toBe(1);
    await record('round-rejected', round);
  });

  it('fails at once with what is missing when the fleet has too few windows', async () => {
    const sentence = 'no round is possible yet: 13 of 32 windows, first round about 21:12 UTC';
    const tooFew = ApplicationFailure.create({
      type: 'TooFewWindows',
      message: sentence,
      nonRetryable: true,
    });
    world.script({ select: () => Promise.reject(tooFew) });
    expect(await failureOf(await startRound())).toContain(sentence);
    expect(world.calls).toEqual(['ask', 'describeSite', 'select', 'withdraw']);
  });

  it('waits for the windows where its input says so, and says what is missing meanwhile', async () => {
    let windows = 13;
    world.script({ siteReadiness: () => readyWith(windows) });
    const round = await startRound({ ifTooEarly: 'wait' });
    await until(round, ({ waitsFor }) => waitsFor === '13 of 32 windows');
    windows = 32;
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
    expect(await progressOf(round)).toMatchObject({ waitsFor: null });
    expect(world.calls.indexOf('describeSite')).toBeGreaterThan(world.calls.lastIndexOf('siteReadiness'));
    await record('round-waited-for-windows', round);
  });

  it('that was paused while it waited stays so when it goes on as a new run', async () => {
    const told = { paused: 'hold it (Ada)', changes: [] };
    const round = await startRound({ ifTooEarly: 'wait' }, told);
    await until(round, ({ paused }) => paused === 'hold it (Ada)');
    await new Promise((wake) => setTimeout(wake, 500));
    expect(world.calls).not.toContain('select');
    await round.executeUpdate('resume');
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
  });

  it('makes v0 with the selection where nobody has', async () => {
    world.script(FIRST_ROUND);
    const round = await startRound({ seed: 5 });
    expect(await round.result()).toMatchObject({ champion: 'v0', decision: 'promoted' });
    expect(world.argumentsOf('describeSite')).toMatchObject([{ withFeatureSums: true }]);
    expect(world.argumentsOf('select')).toMatchObject([{ firstVersionSeed: 5 }]);
    expect(world.argumentsOf('deployFirstVersion')).toEqual([]);
    await record('round-first', round);
  });

  it('makes v0 in a step of its own where the rounds worker is of an earlier release', async () => {
    world.script({ ...FIRST_ROUND, select: () => Promise.resolve(SELECTION) });
    const round = await startRound({ seed: 5 });
    expect(await round.result()).toMatchObject({ champion: 'v0', decision: 'promoted' });
    expect(world.argumentsOf('deployFirstVersion')).toMatchObject([{ seed: 5 }]);
    await record('round-first-earlier-worker', round);
  });

  it('asks no panels for a strategy that makes one proposal', async () => {
    world.script({
      aggregate: () =>
        Promise.resolve({
          proposals: ['sole'],
          trained: 42,
          used: 42,
          leftOut: {},
          selfReportedAccuracy: 0.9,
          localRealAccuracy: 0.8,
          selfReportGap: null,
          contributors: [],
          feedbackUsed: {},
          wantsPanels: false,
        }),
    });
    const round = await startRound({ strategy: 'fedavg' });
    await round.result();
    expect(world.calls).not.toContain('sumPanels');
    await record('round-fedavg', round);
  });

  describe('that measures contributions', () => {
    const planned = { proposal: 'sole', refused: null, sites: [], isMean: true, note: null };
    const planning = (contribution: ContributionPlan): Partial<MockActivities> => ({
      aggregate: async (...given) => ({
        ...(await smoothRound.aggregate(...given)),
        proposals: ['sole'],
        wantsPanels: false,
        contribution,
      }),
    });

    it('asks panels for them alone where the strategy wants no panels, and has them in its result', async () => {
      const found = { ...nothingMeasured(planned, ''), refused: null, panelDevices: 9, devices: 40 };
      let asked: unknown;
      world.script({
        ...planning(planned),
        scoreProposals: (_plan, names, contribution) => {
          asked = { names, contribution };
          return Promise.resolve(names);
        },
        contribute: () => Promise.resolve(found),
      });
      const round = await startRound({ strategy: 'fedavg' });
      expect(await round.result()).toMatchObject({ decision: 'promoted', contribution: found });
      expect(asked).toEqual({ names: [], contribution: planned });
      expect(world.calls).not.toContain('sumPanels');
      await record('round-contributions', round);
    });

    it('goes on where the measurement fails, and says why in its result', async () => {
      const broken = ApplicationFailure.create({
        type: 'InvalidData',
        message: 'no number',
        nonRetryable: true,
      });
      world.script({ ...planning(planned), contribute: () => Promise.reject(broken) });
      const round = await startRound({ strategy: 'fedavg' });
      expect(await round.result()).toMatchObject({
        decision: 'promoted',
        contribution: { refused: 'no number', devices: 0 },
      });
    });

    it('asks nobody where none can be measured', async () => {
      world.script(planning({ ...planned, refused: 'a round with privacy measures none' }));
      const round = await startRound({ strategy: 'fedavg' });
      expect(await round.result()).toMatchObject({
        contribution: { refused: 'a round with privacy measures none' },
      });
      expect(world.calls).not.toContain('scoreProposals');
      expect(world.calls).not.toContain('contribute');
    });
  });

  it('asks for a strategy of one’s own before anything is trained, and fails by what is wrong with it', async () => {
    const missing = ApplicationFailure.create({
      type: 'NotFound',
      message: 'strategy ./mine.js: there is no such module in /strategies',
      nonRetryable: true,
    });
    world.script({ ask: () => Promise.reject(missing) });
    const round = await startRound({ strategy: './mine.js', strategySettings: { beta: 0.5 } });
    expect(await failureOf(round)).toContain('strategy ./mine.js: there is no such module in /strategies');
    expect(world.calls).toEqual(['ask']);
    expect(world.argumentsOf('ask')).toEqual([
      { attempt: expect.any(String) as string, own: { strategy: './mine.js', settings: { beta: 0.5 } } },
    ]);
  });

  it('whose strategy fails when it aggregates leaves no candidate in force', async () => {
    const thrown = ApplicationFailure.create({
      type: 'StrategyFailed',
      message: 'strategy ./mine.js: TypeError: no (mine.js:12)',
      nonRetryable: true,
    });
    world.script({ aggregate: () => Promise.reject(thrown) });
    const round = await startRound({ strategy: './mine.js' });
    expect(await failureOf(round)).toContain('strategy ./mine.js: TypeError: no (mine.js:12)');
    expect(world.calls.slice(-2)).toEqual(['aggregate', 'withdraw']);
    await record('round-own-strategy', round);
  });

  it('fails with too few updates, and leaves no candidate in force', async () => {
    const tooFew = ApplicationFailure.create({
      type: 'TooFewUpdates',
      message: 'only 1 of 2 updates is good',
      nonRetryable: true,
    });
    world.script({ aggregate: () => Promise.reject(tooFew) });
    const round = await startRound();
    expect(await failureOf(round)).toContain('only 1 of 2 updates is good');
    expect(world.calls.slice(-2)).toEqual(['aggregate', 'withdraw']);
    await record('round-too-few-updates', round);
  });

  it('tries a failing site again, and fails with its message when that does not help', async () => {
    world.script({
      trainLocals: () =>
        Promise.reject(
          ApplicationFailure.create({ type: 'InvalidData', message: 'main: its readings are unreadable' }),
        ),
    });
    const round = await startRound();
    expect(await failureOf(round)).toContain('its readings are unreadable');
    await record('round-failing-site', round);
  });

  it('gets over a step that fails for a while', async () => {
    let failures = 2;
    world.script({
      trainLocals: (plan) => {
        if ((failures -= 1) >= 0) return Promise.reject(new Error('the broker is away'));
        return Promise.resolve({
          site: plan.quota!.site,
          last: 1,
          count: 2,
          trained: 42,
          leftOut: {},
          seconds: 0.1,
          feedbackUsed: {},
        });
      },
    });
    expect(await (await startRound()).result()).toMatchObject({ decision: 'promoted' });
    expect(callsOf('trainLocals')).toBe(3);
  });

  it('says which worker is missing when a site’s queue has none', async () => {
    const round = await startRound({ sites: ['nowhere'], workerTimeout: '1s' });
    const failure = await failureOf(round);
    expect(failure).toContain('no worker took a step from the task queue fedloop-site-nowhere in time');
    expect(failure).toContain('FEDLOOP_SITE=nowhere');
    await record('round-no-site-worker', round);
  });

  it.each([
    [{ participants: -3 }, 'participants: must be "all" or a whole number of at least 1'],
    [{ windowsTimout: '1h' }, 'unknown field "windowsTimout" (did you mean "windowsTimeout"?)'],
    [{ gate: { margins: 1 } }, 'unknown field "gate.margins" (did you mean "margin"?)'],
    [{ approval: 'perhaps' }, 'approval: '],
    [[1, 2], 'the input is not valid'],
  ])('refuses %j at once and names the field', async (input, message) => {
    const round = await startByHand('federatedRound', input);
    expect(await failureOf(round)).toContain(message);
    expect(world.calls).toEqual([]);
  });

  it.each([
    ['federatedRound', {}, 'changes: '],
    ['federatedTraining', {}, 'rounds: '],
    ['federatedTraining', 'all', 'the second input is not valid'],
  ])('refuses a second input of %s that is no state to go on from: %j', async (workflow, input, message) => {
    const failure = await failureOf(await startByHand(workflow, {}, input));
    expect(failure).toContain(message);
    expect(failure).toContain('leave it out');
    expect(world.calls).toEqual([]);
  });
});

describe('the live view of a round', () => {
  it('tells the step, the versions and what was measured, and how it ended to Temporal’s list', async () => {
    const held = world.hold('evaluate');
    const round = await startRound();
    await held.reached;
    expect(await progressOf(round)).toMatchObject({
      round: 3,
      step: 'evaluate',
      champion: 'v2',
      candidate: 'v3',
      devicesTrained: 42,
      leftOut: { 'constant-data': 2 },
      accuracy: null,
    });
    const metadata = await round.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain('| Step | evaluate |');
    expect(metadata.currentDetails).toContain('| Version | v3 beside champion v2 |');
    held.release();
    await round.result();
    expect(await progressOf(round)).toMatchObject({ step: 'done', accuracy: 0.84, change: 0.02 });
    const scoreboard = await round.query<readonly ScoreboardEntry[]>('scoreboard');
    expect(scoreboard).toMatchObject([
      { version: 'v2', decision: 'champion', change: null },
      { version: 'v3', decision: 'promoted', change: 0.02 },
    ]);
    const description = await round.describe();
    const indexed = Object.fromEntries(
      description.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
    );
    expect(indexed).toMatchObject({ FedloopVersion: 'v3', FedloopStage: 'champion', FedloopAccuracy: 0.84 });
    expect(description.memo).toMatchObject({ version: 'v3', decision: 'promoted' });
  });

  it('gives every step of the history a summary', async () => {
    const round = await startRound();
    await round.result();
    const history = await round.fetchHistory();
    const scheduled = (history.events ?? []).filter((event) => event.activityTaskScheduledEventAttributes);
    expect(scheduled.length).toBe(13);
    for (const event of scheduled) expect(event.userMetadata?.summary?.data?.length ?? 0).toBeGreaterThan(2);
  });
});

describe('a round that people speak to', () => {
  it('is held before its next step by pause, and goes on with resume', async () => {
    const held = world.hold('trainLocals');
    const round = await startRound();
    await held.reached;
    await round.executeUpdate('pause', { args: [{ reason: 'maintenance' }] });
    held.release();
    await until(round, ({ devicesTrained }) => devicesTrained !== null);
    expect(await progressOf(round)).toMatchObject({ step: 'train locals', paused: 'maintenance' });
    expect(world.calls).not.toContain('scoreLocals');
    await round.executeUpdate('resume');
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
    await record('round-paused', round);
  });

  it('takes a word that comes with its very start', async () => {
    const round = await startRound();
    await round.executeUpdate('pause');
    expect((await progressOf(round)).paused).toBe('paused by hand');
    await round.executeUpdate('resume');
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
  });

  it('refuses updates that make no sense where it is', async () => {
    const held = world.hold('trainLocals');
    const round = await startRound();
    await held.reached;
    const refusal = (name: string, input?: unknown): Promise<unknown> =>
      round.executeUpdate(name, { args: [input] }).then(
        () => 'accepted',
        (thrown: unknown) => String(thrown instanceof Error ? thrown.cause : thrown),
      );
    expect(await refusal('resume')).toContain('it is not paused');
    expect(await refusal('approve')).toContain('nobody is asked: the round is at "train locals"');
    expect(await refusal('pause', { reasons: 'x' })).toContain('did you mean "reason"?');
    expect(await refusal('changeSettings', {})).toContain('name a setting');
    expect(await refusal('changeSettings', { window: 2 })).toContain('did you mean "windows"?');
    expect(await refusal('changeSettings', { minUpdates: 5 })).toContain('minUpdates: too late');
    expect(await refusal('changeSettings', { gate: { minWindow: 2 } })).toContain(
      'did you mean "minWindows"?',
    );
    expect(await refusal('changeSettings', { windows: 0 })).toContain('windows: ');
    expect(await refusal('changeSettings', { approvalTimeout: '0s' })).toContain('longer than 0');
    held.release();
    await round.result();
  });

  it('goes by settings that were changed before their step', async () => {
    const held = world.hold('trainLocals');
    const round = await startRound();
    await held.reached;
    const change = { windows: 2, gate: { minWindows: 2 }, by: 'Ada' };
    const answer = {
      before: { windows: 6, gate: { minWindows: 3 } },
      after: { windows: 2, gate: { minWindows: 2 } },
    };
    const ask = (dryRun: boolean): Promise<unknown> =>
      round.executeUpdate('changeSettings', { args: [{ ...change, dryRun }] });
    expect(await ask(true)).toEqual({ ...answer, isChanged: false });
    expect(await ask(false)).toEqual({ ...answer, isChanged: true });
    expect(await ask(false)).toEqual({ before: {}, after: {}, isChanged: false });
    expect(await round.query('settings')).toMatchObject({
      settings: { windows: 2, minUpdates: 2 },
      changes: [{ by: 'Ada', reason: null, ...answer }],
    });
    held.release();
    await round.result();
    expect(world.argumentsOf('evaluate')[0]).toMatchObject({ windows: 2 });
    await record('round-settings-changed', round);
  });

  it.each([
    ['approve', 'promoted', 'approved by Ada (looks good); the gate: better'],
    ['reject', 'rejected', 'rejected by Ada (looks good); the gate: better'],
  ])('waits for a person with approval "manual", and does what %s says', async (update, decision, reason) => {
    const round = await startRound({ approval: 'manual' });
    await until(round, ({ step }) => step === 'approve');
    expect(world.calls).not.toContain('decide');
    await round.executeUpdate(update, { args: [{ by: 'Ada', reason: 'looks good' }] });
    const result = (await round.result()) as FederatedRoundResult;
    expect(result.decision).toBe(decision);
    expect(result.reason).toContain(reason);
    await record(`round-${update}`, round);
  });

  it.each([
    ['reject', 'rejected'],
    ['approve', 'promoted'],
  ])('does by default to %s when nobody answers in time', async (approvalDefault, decision) => {
    const round = await startRound({ approval: 'manual', approvalTimeout: '200ms', approvalDefault });
    const result = (await round.result()) as FederatedRoundResult;
    expect(result.decision).toBe(decision);
    expect(result.reason).toContain('nobody answered within 200ms');
    await record(`round-unanswered-${approvalDefault}`, round);
  });

  it('asks nobody about a candidate that the gate rejects', async () => {
    world.script({ evaluate: () => Promise.resolve(evaluationOf('rejected', 'worse')) });
    const round = await startRound({ approval: 'manual' });
    expect(await round.result()).toMatchObject({ decision: 'rejected', reason: 'worse' });
  });
});

describe('a person who is asked', () => {
  it('sees the change with its interval, the gate’s sentence, until when to answer, and what happens else', async () => {
    const round = await startRound({ approval: 'manual', approvalTimeout: '1h' });
    await until(round, ({ step }) => step === 'approve');
    const details = await detailsOf(round);
    expect(details).toContain('| Change | +2.00 points (−9.00 points to +3.00 points) |');
    expect(details).toContain('| The gate | better than the champion |');
    expect(details).toMatch(
      /send the update approve or reject: until \d{4}-\d\d-\d\dT[\d:]{8}Z; without an answer: reject/,
    );
    await round.executeUpdate('reject');
    const result = (await round.result()) as FederatedRoundResult;
    expect(Object.keys(result).slice(0, 2)).toEqual(['reason', 'decision']);
  });

  it('has the time that a pause takes, and more when the round is given more', async () => {
    const round = await startRound({ approval: 'manual', approvalTimeout: '2s' });
    await until(round, ({ step }) => step === 'approve');
    expect(await round.executeUpdate('pause')).toBe(
      'Paused: the time for an answer stands still, and an answer waits for resume.',
    );
    await new Promise((wake) => setTimeout(wake, 2_500));
    expect(await progressOf(round)).toMatchObject({ step: 'approve' });
    expect(await detailsOf(round)).toContain('the time stands still while it is paused');
    await round.executeUpdate('changeSettings', { args: [{ approvalTimeout: '1h' }] });
    await round.executeUpdate('resume');
    await new Promise((wake) => setTimeout(wake, 2_500));
    expect(await progressOf(round)).toMatchObject({ step: 'approve' });
    await round.executeUpdate('pause');
    expect(await round.executeUpdate('approve')).toBe(
      'Approved: the candidate is promoted once the round is resumed, which is paused, if v2 still serves then.',
    );
    expect(world.calls).not.toContain('decide');
    await round.executeUpdate('resume');
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
    await record('round-approval-paused', round);
  });

  it('may answer as soon as the question stands on the page of a paused round, which then asks no more', async () => {
    const held = world.hold('evaluate');
    const round = await startRound({ approval: 'manual' });
    await held.reached;
    await round.executeUpdate('pause');
    held.release();
    await until(round, ({ accuracy }) => accuracy !== null);
    expect(await progressOf(round)).toMatchObject({ step: 'evaluate', paused: 'paused by hand' });
    expect(await detailsOf(round)).toContain('send the update approve or reject');
    expect(await round.executeUpdate('reject')).toContain('ends once it is resumed');
    expect(await detailsOf(round)).not.toContain('send the update approve or reject');
    await round.executeUpdate('resume');
    expect(await round.result()).toMatchObject({ decision: 'rejected' });
    await record('round-answered-while-paused', round);
  });

  it('is told that a pause comes after the decision that is being made', async () => {
    const held = world.hold('decide');
    const round = await startRound();
    await held.reached;
    expect(await round.executeUpdate('pause')).toContain('Paused after the decision that is being made');
    held.release();
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
  });
});

describe('the time of a round', () => {
  const OVER = 'worked for its roundTimeout of 1s; the champion stays';
  const pass = (millis: number): Promise<void> => new Promise((wake) => setTimeout(wake, millis));

  it('ends it before its next step, and withdraws its candidates', async () => {
    world.script({ aggregate: async (...args) => (await pass(1_200), smoothRound.aggregate(...args)) });
    const round = await startRound({ roundTimeout: '1s' });
    expect(await failureOf(round)).toContain(OVER);
    expect(world.calls).not.toContain('deploy');
    expect(world.calls.at(-1)).toBe('withdraw');
  });

  it('ends its wait for windows that nobody sends', async () => {
    world.script({ siteReadiness: () => readyWith(13) });
    const round = await startRound({ ifTooEarly: 'wait', roundTimeout: '1s' });
    expect(await failureOf(round)).toContain(OVER);
    expect(world.calls).not.toContain('ask');
  });

  it('can be changed, and leaves out pauses and the wait for live windows', async () => {
    const training = world.hold('trainLocals');
    const evaluating = world.hold('evaluate');
    const round = await startRound({ roundTimeout: '1s' });
    await training.reached;
    await round.executeUpdate('changeSettings', { args: [{ roundTimeout: '4s' }] });
    await round.executeUpdate('pause');
    await pass(2_600);
    training.release();
    await round.executeUpdate('resume');
    await evaluating.reached;
    await pass(2_600);
    evaluating.release();
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
  });

  it('ends its wait for the round lock, and names the workflow that has it', async () => {
    const held = world.hold('trainLocals');
    const round = await startRound();
    await held.reached;
    world.script({ waitForTurn: () => pass(20_000) });
    const outer = await startByHand('federatedRound', { roundTimeout: '1s' });
    expect(await failureOf(outer)).toContain(
      `kept the round lock for this one's roundTimeout of 1s: look at the workflow ${NAMES.roundId}`,
    );
    held.release();
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
  });
});

describe('a run whose round is its child', () => {
  it('sends updates on to the round, and gives its answers and refusals back', async () => {
    world.script(withFailureCodes({ tellRun }));
    const outer = await startByHand('federatedRound', { approval: 'manual' });
    const round = world.client.workflow.getHandle(NAMES.roundId);
    while (!world.calls.includes('evaluate')) await new Promise((wake) => setTimeout(wake, 20));
    await until(round, ({ step }) => step === 'approve');
    await outer.executeUpdate('pause', { args: [{ reason: 'lunch' }] });
    expect(await progressOf(round)).toMatchObject({ paused: 'lunch' });
    const refused = outer.executeUpdate('pause').catch((thrown: unknown) => String((thrown as Error).cause));
    expect(await refused).toContain('it is paused already (lunch)');
    await outer.executeUpdate('resume');
    expect(await outer.executeUpdate('approve')).toBe(
      'Approved: the candidate is promoted if v2 still serves then.',
    );
    expect(await outer.result()).toMatchObject({ decision: 'promoted' });
    expect(await progressOf(outer)).toMatchObject({ step: 'done', candidate: 'v3', decision: 'promoted' });
    const { typedSearchAttributes, memo } = await outer.describe();
    const indexed = typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
    expect(Object.fromEntries(indexed)).toMatchObject({ FedloopVersion: 'v3', FedloopStage: 'champion' });
    expect(memo).toMatchObject({ decision: 'promoted' });
    expect((await round.describe()).memo).toMatchObject({
      startedBy: `somebody by hand as ${outer.workflowId}`,
    });
    await record('round-outer-told', outer);
  });

  it('shows where its round is, what is asked of people and that it is paused, as the round does', async () => {
    const held = world.hold('evaluate');
    const outer = await startByHand('federatedRound', { approval: 'manual', approvalTimeout: '1h' });
    await held.reached;
    await outer.signal('roundProgress', { progress: 'nonsense' });
    await until(outer, ({ step }) => step === 'evaluate');
    expect(await progressOf(outer)).toMatchObject({ round: 3, champion: 'v2', candidate: 'v3' });
    expect(await detailsOf(outer)).toContain('| Version | v3 beside champion v2 |');
    held.release();
    await until(outer, ({ step }) => step === 'approve');
    const round = world.client.workflow.getHandle(NAMES.roundId);
    await round.executeUpdate('pause', { args: [{ reason: 'lunch' }] });
    await until(outer, ({ paused }) => paused === 'lunch');
    await round.executeUpdate('resume');
    await until(outer, ({ paused }) => paused === null);
    const details = await detailsOf(outer);
    expect(details).toContain('send the update approve or reject: until ');
    expect(details).toContain(`The round runs as workflow \`${NAMES.roundId}\``);
    await round.executeUpdate('approve');
    expect(await outer.result()).toMatchObject({ decision: 'promoted' });
    await record('round-outer-shows', outer);
    await record('round-reports', round);
  });

  it('waits its turn behind those that were started before', async () => {
    world.script({ waitForTurn: (input) => waitForTurn(NAMES.roundId, NAMES.roundsQueue, input) });
    const held = world.hold('trainLocals');
    const first = await startByHand('federatedRound');
    await held.reached;
    const others: WorkflowHandle[] = [];
    for (let number = 0; number < 3; number += 1) others.push(await startByHand('federatedRound'));
    held.release();
    await first.result();
    const ended: string[] = [];
    await Promise.all(
      others.map(async (other) => {
        await other.result();
        ended.push(other.workflowId);
      }),
    );
    expect(ended).toEqual(others.map(({ workflowId }) => workflowId));
  });
});

describe('a round that is cancelled', () => {
  it.each([
    ['describeSite'],
    ['select'],
    ['trainLocals'],
    ['scoreLocals'],
    ['aggregate'],
    ['sumPanels'],
    ['refit'],
    ['scoreProposals'],
    ['deploy'],
    ['evaluate'],
  ] as const)('at %s withdraws its candidates and decides nothing', async (step) => {
    const held = world.hold(step);
    const round = await startRound();
    await held.reached;
    await round.cancel();
    // Deploying is waited for: only then is it known what there is to withdraw.
    if (step === 'deploy') {
      await new Promise((wake) => setTimeout(wake, 200));
      expect(world.calls).not.toContain('withdraw');
      held.release();
    }
    expect(await failureOf(round)).toContain('CancelledFailure');
    held.release();
    expect(world.argumentsOf('withdraw')).toMatchObject([{ round: 3, reason: 'the round was cancelled' }]);
    expect(world.calls).not.toContain('decide');
    expect(world.calls).not.toContain('feedBack');
    await record(`round-cancelled-at-${step}`, round);
  });

  it('before it knows its number touches nothing', async () => {
    const held = world.hold('ask');
    const round = await startRound();
    await held.reached;
    await round.cancel();
    expect(await failureOf(round)).toContain('CancelledFailure');
    held.release();
    expect(world.calls).toEqual(['ask']);
  });

  it('while a person is asked withdraws its candidates', async () => {
    const round = await startRound({ approval: 'manual' });
    await until(round, ({ step }) => step === 'approve');
    await round.cancel();
    await failureOf(round);
    expect(world.calls.slice(-2)).toEqual(['evaluate', 'withdraw']);
    await record('round-cancelled-at-approve', round);
  });

  it('while it is paused withdraws its candidates', async () => {
    const held = world.hold('deploy');
    const round = await startRound();
    await held.reached;
    await round.executeUpdate('pause');
    held.release();
    await until(round, ({ paused }) => paused !== null);
    await round.cancel();
    await failureOf(round);
    expect(world.calls.slice(-2)).toEqual(['deploy', 'withdraw']);
  });

  it('when the decision is being carried out ends as decided, wholly', async () => {
    const held = world.hold('decide');
    const round = await startRound();
    await held.reached;
    await round.cancel();
    held.release();
    expect(await round.result()).toMatchObject({ decision: 'promoted' });
    expect(world.calls.slice(-2)).toEqual(['decide', 'feedBack']);
    expect(world.calls).not.toContain('withdraw');
    await record('round-cancelled-at-decide', round);
  });
});

describe('rounds that meet', () => {
  it('take turns: one that is started meanwhile waits for the other', async () => {
    const held = world.hold('trainLocals');
    const first = await startByHand('federatedRound');
    await held.reached;
    const turn = world.hold('waitForTurn');
    const second = await startByHand('federatedRound');
    await turn.reached;
    await until(first, ({ step }) => step === 'train locals');
    expect(await progressOf(second)).toMatchObject({ step: 'waiting' });
    held.release();
    await first.result();
    turn.release();
    expect(await second.result()).toMatchObject({ decision: 'promoted' });
    await record('round-took-turns', second);
  });

  it('refuse one another when the input says so', async () => {
    const held = world.hold('trainLocals');
    const first = await startByHand('federatedRound');
    await held.reached;
    const second = await startByHand('federatedRound', { ifBusy: 'refuse' });
    expect(await failureOf(second)).toContain('another round is running');
    held.release();
    await first.result();
    await record('round-refused', second);
  });

  it('are cancelled together with whoever started them', async () => {
    const held = world.hold('evaluate');
    const byHand = await startByHand('federatedRound');
    await held.reached;
    await byHand.cancel();
    expect(await failureOf(byHand)).toContain('CancelledFailure');
    expect(await failureOf(world.client.workflow.getHandle(NAMES.roundId))).toContain('CancelledFailure');
    held.release();
    expect(world.calls).toContain('withdraw');
  });
});

describe('a training run', () => {
  it('plays the rounds asked for, one after the other', async () => {
    const training = await startByHand('federatedTraining', { rounds: 3 });
    const result = (await training.result()) as FederatedTrainingResult;
    expect(result).toEqual({ rounds: 3, stopped: 'all rounds', champion: 'v3', accuracy: 0.84 });
    expect(callsOf('decide')).toBe(3);
    await record('training', training);
  });

  it('stops once the champion is as accurate as asked for', async () => {
    const training = await startByHand('federatedTraining', { rounds: 9, targetAccuracy: 0.83 });
    expect(await training.result()).toMatchObject({ rounds: 1, stopped: 'target accuracy' });
    await record('training-target', training);
  });

  it('stops when rounds bring no more', async () => {
    world.script({ evaluate: () => Promise.resolve(evaluationOf('rejected', 'worse')) });
    const training = await startByHand('federatedTraining', {
      rounds: 9,
      plateau: { rounds: 2, gain: 0.001 },
    });
    expect(await training.result()).toMatchObject({ rounds: 2, stopped: 'plateau', champion: 'v2' });
    await record('training-plateau', training);
  });

  it('is held between two rounds by pause, and takes new settings for the next', async () => {
    const held = world.hold('evaluate');
    const training = await startByHand('federatedTraining', { rounds: 9 });
    await held.reached;
    await training.executeUpdate('pause');
    await training.executeUpdate('changeSettings', { args: [{ rounds: 2, round: { windows: 2 } }] });
    held.release();
    while ((await training.query<{ finished: unknown[] }>('progress')).finished.length === 0);
    expect(callsOf('ask')).toBe(1);
    await training.executeUpdate('resume');
    expect(await training.result()).toMatchObject({ rounds: 2, stopped: 'all rounds' });
    expect(world.argumentsOf('evaluate')[0]).toMatchObject({ windows: 2 });
    await record('training-paused', training);
  });

  it.each(['federatedTraining', 'batchAnalytics', 'changeChampion'])(
    '(%s) is refused under the id of the round that plays, which it would keep out',
    async (workflow) => {
      expect(await failureOf(await start(workflow, NAMES.roundId, {}))).toContain(
        `${NAMES.roundId} is the id of the round that plays alone: start ${workflow} under another one`,
      );
    },
  );

  it('stops with the round that fails', async () => {
    world.script({ select: () => Promise.reject(ApplicationFailure.nonRetryable('no site', 'NotFound')) });
    const training = await startByHand('federatedTraining', { rounds: 3, onFailedRound: 'stop' });
    expect(await failureOf(training)).toMatch(/ApplicationFailure: select: no site/);
    expect(callsOf('ask')).toBe(1);
  });

  it.each([
    ['retry', 3],
    ['skip', 2],
  ])('gets over a failed round by its policy %s', async (onFailedRound, decided) => {
    let failures = 1;
    world.script({
      select: (input) =>
        (failures -= 1) >= 0
          ? Promise.reject(ApplicationFailure.nonRetryable('no site', 'NotFound'))
          : smoothRound.select(input),
    });
    const input = { rounds: 3, onFailedRound, failedRoundPause: '0s' };
    const training = await startByHand('federatedTraining', input);
    expect(await training.result()).toMatchObject({ rounds: 3, stopped: 'all rounds', failed: 1 });
    expect(callsOf('decide')).toBe(decided);
    await record(`training-failed-round-${onFailedRound}`, training);
  });

  it('says on top that a round failed, and why, and ends after too many in a row', async () => {
    world.script({ select: () => Promise.reject(ApplicationFailure.nonRetryable('no site', 'NotFound')) });
    const input = { rounds: 9, maxFailedRounds: 2, failedRoundPause: '2s' };
    const training = await startByHand('federatedTraining', input);
    let details = '';
    while (!details.includes('failed')) details = await detailsOf(training);
    expect(details).toMatch(
      /^Round 1 failed \(1 of at most 2 in a row\), another one begins in 2s: select: no site\n/,
    );
    expect(await failureOf(training)).toContain(
      'ApplicationFailure: 2 rounds in a row failed, the last one: select: no site',
    );
    expect(callsOf('ask')).toBe(2);
    await record('training-failed-rounds', training);
  });

  it('shows where the round is that runs, and that one waits for another', async () => {
    const held = world.hold('evaluate');
    const round = await startRound();
    await held.reached;
    const training = await startByHand('federatedTraining', { rounds: 1, round: { windows: 2 } });
    const stepOf = async (): Promise<unknown> =>
      (await training.query<TrainingProgress>('progress')).current?.step;
    while ((await stepOf()) !== 'waiting') await new Promise((wake) => setTimeout(wake, 20));
    expect(await detailsOf(training)).toContain('Another round is running');
    world.script({
      waitForTurn: async () => {
        await round.result();
      },
    });
    held.release();
    const next = world.hold('evaluate');
    await next.reached;
    while ((await stepOf()) !== 'evaluate') await new Promise((wake) => setTimeout(wake, 20));
    expect(await detailsOf(training)).toMatch(/^Round 1 of at most 1\.\n\n[^]*\| Step \| evaluate \|/);
    next.release();
    await training.result();
    expect(await training.query<TrainingProgress>('progress')).toMatchObject({ current: null });
    await record('training-shows', training);
  });

  it('sends an answer on to the round that runs', async () => {
    const training = await startByHand('federatedTraining', { rounds: 1, round: { approval: 'manual' } });
    while (!world.calls.includes('evaluate')) await new Promise((wake) => setTimeout(wake, 20));
    world.script(withFailureCodes({ tellRun }));
    const round = world.client.workflow.getHandle(NAMES.roundId);
    await until(round, ({ step }) => step === 'approve');
    expect(await training.executeUpdate('approve', { args: [{ by: 'Ada' }] })).toBe(
      'Approved: the candidate is promoted if v2 still serves then.',
    );
    expect(await training.result()).toMatchObject({ champion: CANDIDATE });
    await record('training-answered', training);
  });
});

describe('a batch run', () => {
  it('counts the folder that its input names', async () => {
    const batch = await startByHand('batchAnalytics', { directory: 'march' });
    expect(await batch.result()).toMatchObject({ files: { counted: 2 } });
    expect(world.argumentsOf('runBatch')).toEqual([{ directory: 'march' }]);
    await record('batch', batch);
  });

  it('refuses an unknown field and suggests the known one', async () => {
    const batch = await startByHand('batchAnalytics', { dir: 'march' });
    expect(await failureOf(batch)).toContain('unknown field "dir" (did you mean "directory"?)');
  });
});
