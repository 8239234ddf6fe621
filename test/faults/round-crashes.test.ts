import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type WorkflowHandle } from '@temporalio/client';
import { type SettingsInForce } from '../../core/contracts/control';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { RoundSystem } from '../support/round-system';
import { eventually, RoundWatch } from '../support/round-watch';
import { NAMES } from '../support/names';
import { SOUND, soundnessOf } from '../support/soundness';

/**
 * A round on real servers whose workers are killed outright, and which Temporal and Kafka leave for a while: what it costs is asserted in seconds.
 * Servers are away for longer than the session time-out of the system (4 s), so that every group starts anew. FEDLOOP_AWAY_MILLIS
 * keeps them away for longer than the build has time for.
 */
const AWAY_MILLIS = Number(process.env['FEDLOOP_AWAY_MILLIS'] ?? 6_000);
/** Checks of the live evaluation, one a second here and one a minute by default: 1,440 are a day. */
const CHECKS = Number(process.env['FEDLOOP_CHECKS'] ?? 0);
/** Heartbeat time-outs of workflows/limits.ts. */
const STEP_HEARTBEAT_MILLIS = 20_000;
const LEASE_HEARTBEAT_MILLIS = 30_000;
/** Until the server notices, the pause before the next try, and the way to a worker. */
const SLACK_MILLIS = 5_000;
/** Seconds rather than milliseconds: long enough to be cut off. */
const LONG_TRAINING = { epochs: 400 };
/** Far longer than any of it takes on a busy machine. A wait that ends by it says what there was instead. */
const WAIT_MILLIS = 90_000;
const TEST_MILLIS = 300_000 + 4 * AWAY_MILLIS + 2 * CHECKS * 1_000;
/** The settings of the evaluation, as a person has changed them. */
const CHANGED = { checkEvery: '1s', by: 'Ada', reason: 'look often' };
const TOLD = {
  paused: 'the fleet moves (Ada)',
  settings: { checkEvery: CHANGED.checkEvery },
  changes: [{ by: CHANGED.by, reason: CHANGED.reason, after: { checkEvery: CHANGED.checkEvery } }],
};
const MALFORMED_SIGNALS = 1_000;
const SIGNALS_AT_ONCE = 50;

jest.setTimeout(TEST_MILLIS);

let system: RoundSystem;
let client: Client;
let rounds: RoundWatch;
let evaluation: WorkflowHandle;
let firstRun: string;

beforeAll(async () => {
  // A window a second: live windows last as long as the test needs them to.
  system = await RoundSystem.start({ devices: 60, speed: 30 });
  client = await system.client();
  rounds = new RoundWatch(client, WAIT_MILLIS);
  evaluation = client.workflow.getHandle(NAMES.evaluationId);
  firstRun = await runOf(evaluation);
  await evaluation.executeUpdate('changeSettings', { args: [CHANGED] });
}, TEST_MILLIS);

afterEach(async () => {
  // A round that a failing test has left must not stand in the way of the next.
  for (const id of ['next', 'last', NAMES.roundId])
    await client.workflow
      .getHandle(id)
      .terminate()
      .catch(() => undefined);
});

afterAll(async () => {
  await client.connection.close();
  await system.stop();
}, 60_000);

it('goes on with another worker within the heartbeat time-out, whichever was killed', async () => {
  const round = await rounds.start(NAMES.roundId, { training: LONG_TRAINING, windows: 12 });
  await rounds.begun(round, 'trainLocals');
  const siteKilled = system.kill('site');
  await system.startWorker('site');
  const siteBack = Date.now();
  const trainedAnew = await rounds.begun(round, 'trainLocals', 2);
  // What another worker takes to come up on a busy machine is not the dead one's cost.
  const bound = (killedAt: number, back: number): number =>
    Math.max(killedAt + STEP_HEARTBEAT_MILLIS, back) + SLACK_MILLIS;
  expect(trainedAnew).toBeLessThan(bound(siteKilled, siteBack));

  await rounds.at(round, 'evaluate');
  const [lost = ''] = await rounds.leaseHolders();
  expect(lost).not.toBe('');
  // A round that waits for its turn has its step at the rounds worker, which runs the workflows as well.
  const next = await rounds.start('next', { participants: 20, windows: 1 });
  await rounds.begun(next, 'waitForTurn');
  // More wait than the machine has cores: the one that they wait for must not wait for them.
  const last = await rounds.start('last', { participants: 20, windows: 1 });
  await rounds.begun(last, 'waitForTurn');
  const killed = system.kill('rounds');
  system.kill('stream');
  await Promise.all([system.startWorker('rounds'), system.startWorker('stream')]);
  const back = Date.now();
  const [waitsAnew, missed] = await Promise.all([
    rounds.begun(next, 'waitForTurn', 2),
    rounds.leaseLost(lost),
  ]);
  expect(waitsAnew).toBeLessThan(bound(killed, back));
  expect(missed).toBeLessThan(Math.max(killed + LEASE_HEARTBEAT_MILLIS, back) + SLACK_MILLIS);

  const result = await rounds.resultOf(round);
  expect(result.candidate.evaluations).toBeGreaterThan(0);
  // In the order in which they were started; a refit between rounds takes a number, too.
  const [second, third] = [await rounds.resultOf(next), await rounds.resultOf(last)];
  expect(second.round).toBeGreaterThan(result.round);
  expect(third.round).toBeGreaterThan(second.round);
  report({
    'site worker, in training': trainedAnew - siteKilled,
    'rounds worker, with a step': waitsAnew - killed,
    'stream worker, until its lease was missed': missed - killed,
  });
});

it('goes on after Temporal was away in its middle', async () => {
  const round = await rounds.start(NAMES.roundId, { training: LONG_TRAINING, windows: 2 });
  await rounds.begun(round, 'trainLocals');
  await system.temporalAway(AWAY_MILLIS);
  const back = Date.now();
  const result = await rounds.resultOf(round);
  expect(result.candidate.evaluations).toBeGreaterThan(0);
  report({ 'Temporal away, then until the round was done': Date.now() - back });
});

it.each([
  ['trainLocals', { training: LONG_TRAINING, windows: 4 }],
  ['evaluate', { windows: 4 }],
] as const)('goes on after Kafka was away during %s', async (activity, input) => {
  const round = await rounds.start(NAMES.roundId, input);
  await rounds.begun(round, activity);
  await system.stream.restartBroker('killed', AWAY_MILLIS);
  const back = Date.now();
  const result = await rounds.resultOf(round);
  expect(result.candidate.evaluations).toBeGreaterThan(0);
  report({ [`Kafka away during ${activity}, then until the round was done`]: Date.now() - back });
});

it('has had one evaluation through all of it, which has forgotten nothing that it was told', async () => {
  for (const role of ['analytics', 'stream'] as const) {
    system.kill(role);
    await sleep(AWAY_MILLIS);
    await system.startWorker(role);
    await checksGoOn();
  }
  for (let sent = 0; sent < MALFORMED_SIGNALS; sent += SIGNALS_AT_ONCE)
    await Promise.all(Array.from({ length: SIGNALS_AT_ONCE }, () => evaluation.signal('join', {})));
  await evaluation.executeUpdate('pause', {
    args: [{ reason: 'the fleet moves', by: 'Ada' }],
  });
  await Promise.all([system.temporalAway(AWAY_MILLIS), system.stream.restartBroker('killed', AWAY_MILLIS)]);

  expect(await whatItWasTold()).toMatchObject(TOLD);
  await evaluation.executeUpdate('resume');
  let checks = await checksGoOn();
  while (checks < CHECKS) checks = await checksGoOn();
  expect(await whatItWasTold()).toMatchObject({ ...TOLD, paused: null });
  expect(await runOf(evaluation)).toBe(firstRun);
  report({ 'checks, of which a minute each is the default': checks * 1_000 });
});

it('has kept every row through all of it, and measured what it promoted', async () => {
  expect(await soundnessOf(system)).toEqual(SOUND);
});

async function whatItWasTold(): Promise<object> {
  const { paused } = await answerOf<EvaluationProgress>('progress');
  const { settings, changes } = await answerOf<SettingsInForce>('settings');
  return { paused, settings, changes };
}

/** The first of the chain of runs that it belongs to. */
async function runOf(workflow: WorkflowHandle): Promise<string> {
  const { raw, status } = await workflow.describe();
  expect(status.name).toBe('RUNNING');
  return raw.workflowExecutionInfo?.firstRunId ?? '';
}

/** What a query says, once a worker is there that answers it. */
function answerOf<Answer>(query: string): Promise<Answer> {
  return eventually(query, WAIT_MILLIS, () =>
    evaluation.query<Answer>(query).then(
      (found) => ({ found }),
      (cause: unknown) => ({ seen: String(cause) }),
    ),
  );
}

/** Wait for two more checks that saw the champion. */
async function checksGoOn(): Promise<number> {
  const { checks: before } = await answerOf<EvaluationProgress>('progress');
  return eventually('two more checks', WAIT_MILLIS, async () => {
    const { checks, news } = await answerOf<EvaluationProgress>('progress');
    return checks > before + 1 ? { found: checks } : { seen: news.at(-1)?.what ?? 'no news' };
  });
}

/** Figures for a run by hand. */
function report(millis: Readonly<Record<string, number>>): void {
  if (process.env['FEDLOOP_AWAY_MILLIS'] === undefined) return;
  for (const [what, took] of Object.entries(millis))
    process.stderr.write(`${what}: ${(took / 1_000).toFixed(1)} s\n`);
}
