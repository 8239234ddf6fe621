import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type WorkflowHandle } from '@temporalio/client';
import { EVALUATION_WORKFLOW_ID, ROUND_WORKFLOW_ID, ROUNDS_QUEUE } from '../../core/contracts/queues';
import { federatedRoundResultSchema, type FederatedRoundResult } from '../../core/contracts/rounds';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { type RoundProgress, type RoundStep } from '../../core/contracts/steps';
import { RoundSystem } from '../support/round-system';

/**
 * A round on real servers whose workers are killed outright, and which Temporal and Kafka leave for a while: what it costs is asserted in seconds.
 * FEDLOOP_AWAY_MILLIS keeps the servers away for longer than the build has time for.
 */
const AWAY_MILLIS = Number(process.env['FEDLOOP_AWAY_MILLIS'] ?? 10_000);
/** Heartbeat time-outs of workflows/limits.ts. */
const STEP_HEARTBEAT_MILLIS = 20_000;
const LEASE_HEARTBEAT_MILLIS = 30_000;
/** Until the server notices, the pause before the next try, and the way to a worker. */
const SLACK_MILLIS = 5_000;
/** Seconds rather than milliseconds: long enough to be cut off. */
const LONG_TRAINING = { epochs: 400 };
const TEST_MILLIS = 300_000 + 4 * AWAY_MILLIS;

jest.setTimeout(TEST_MILLIS);

let system: RoundSystem;
let client: Client;

beforeAll(async () => {
  // A window a second: live windows last as long as the test needs them to.
  system = await RoundSystem.start({ devices: 60, speed: 30 });
  client = await system.client();
}, TEST_MILLIS);

afterEach(async () => {
  // A round that a failing test has left must not stand in the way of the next.
  await client.workflow
    .getHandle(ROUND_WORKFLOW_ID)
    .terminate()
    .catch(() => undefined);
});

afterAll(async () => {
  await client.connection.close();
  await system.stop();
}, 60_000);

it('goes on with another worker within the heartbeat time-out, whichever was killed', async () => {
  const round = await start(ROUND_WORKFLOW_ID, { training: LONG_TRAINING, windows: 12 });
  await begun(round, 'trainLocals');
  await sleep(500);
  const siteKilled = system.kill('site');
  await system.startWorker('site');
  const siteBack = Date.now();
  const trainedAnew = await begun(round, 'trainLocals', 2);
  // What another worker takes to come up on a busy machine is not the dead one's cost.
  const bound = (killedAt: number, back: number): number =>
    Math.max(killedAt + STEP_HEARTBEAT_MILLIS, back) + SLACK_MILLIS;
  expect(trainedAnew).toBeLessThan(bound(siteKilled, siteBack));

  await at(round, 'evaluate');
  const evaluation = client.workflow.getHandle(EVALUATION_WORKFLOW_ID);
  const holders = async (): Promise<readonly string[]> =>
    (await evaluation.query<EvaluationProgress>('progress')).workers;
  const [lost = ''] = await holders();
  expect(lost).not.toBe('');
  // A round that waits for its turn has its step at the rounds worker, which runs the workflows as well.
  const next = await start('next', { participants: 20, windows: 1 });
  await begun(next, 'waitForTurn');
  const killed = system.kill('rounds');
  system.kill('stream');
  await Promise.all([system.startWorker('rounds'), system.startWorker('stream')]);
  const back = Date.now();
  const waitsAnew = await begun(next, 'waitForTurn', 2);
  expect(waitsAnew).toBeLessThan(bound(killed, back));
  while ((await holders()).includes(lost)) await sleep(100);
  expect(Date.now()).toBeLessThan(Math.max(killed + LEASE_HEARTBEAT_MILLIS, back) + SLACK_MILLIS);

  const result = await resultOf(round);
  expect(result.candidate.evaluations).toBeGreaterThan(0);
  expect((await resultOf(next)).round).toBe(result.round + 1);
  tell({
    'site worker, in training': trainedAnew - siteKilled,
    'rounds worker, with a step': waitsAnew - killed,
  });
});

it('goes on after Temporal was away in its middle', async () => {
  const round = await start(ROUND_WORKFLOW_ID, { training: LONG_TRAINING, windows: 2 });
  await begun(round, 'trainLocals');
  await system.temporalAway(AWAY_MILLIS);
  const back = Date.now();
  const result = await resultOf(round);
  expect(result.candidate.evaluations).toBeGreaterThan(0);
  tell({ 'Temporal away, then until the round was done': Date.now() - back });
});

it('goes on after Kafka was away in its middle', async () => {
  const round = await start(ROUND_WORKFLOW_ID, { windows: 4 });
  await at(round, 'evaluate');
  await system.stream.restartBroker('killed', AWAY_MILLIS);
  const back = Date.now();
  const result = await resultOf(round);
  expect(result.candidate.evaluations).toBeGreaterThan(0);
  tell({ 'Kafka away, then until the round was done': Date.now() - back });
});

function start(workflowId: string, input: unknown): Promise<WorkflowHandle> {
  return client.workflow.start('federatedRound', { workflowId, taskQueue: ROUNDS_QUEUE, args: [input] });
}

async function resultOf(round: WorkflowHandle): Promise<FederatedRoundResult> {
  return federatedRoundResultSchema.parse(await round.result());
}

/** @returns when this try of an activity began, in milliseconds since 1970. */
async function begun(round: WorkflowHandle, activity: string, attempt = 1): Promise<number> {
  for (;;) {
    const { raw } = await round.describe();
    const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
    const began = pending?.lastStartedTime;
    const state: unknown = pending?.state;
    if ((pending?.attempt ?? 0) >= attempt && began !== null && began !== undefined && state === RUNNING)
      return Number(began.seconds) * 1_000 + (began.nanos ?? 0) / 1_000_000;
    await sleep(50);
  }
}

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED */
const RUNNING = 2;

async function at(round: WorkflowHandle, step: RoundStep): Promise<void> {
  while ((await round.query<RoundProgress>('progress')).step !== step) await sleep(100);
}

/** Figures for whoever runs it by hand. */
function tell(millis: Readonly<Record<string, number>>): void {
  if (process.env['FEDLOOP_AWAY_MILLIS'] === undefined) return;
  for (const [what, took] of Object.entries(millis))
    process.stderr.write(`${what}: ${(took / 1_000).toFixed(1)} s\n`);
}
