import { type Client, type WorkflowHandle } from '@temporalio/client';
import { queryTable } from '../../cli/query/query-worker';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { type FederatedRoundResult } from '../../core/contracts/rounds';
import { followDeployments, type Deployments } from '../../core/model/deployments';
import { silentLogger } from '../../core/platform/log';
import { type Kafka } from '../../core/platform/kafka';
import { NAMES } from '../support/names';
import { BEFORE_DECISION, resetTo } from '../support/reset-workflow';
import { RoundSystem } from '../support/round-system';
import { eventually, RoundWatch } from '../support/round-watch';
import { verifiedAt } from '../support/verified';

/**
 * Each control that Temporal's UI has, on a whole system and by the calls that the UI makes: type, queue, workflow id, one JSON object. After each, every row
 * is what the event log leads to, and log, tables, live evaluation and Temporal's list name the same champion.
 */
const WAIT_MILLIS = 90_000;
const TEST_MILLIS = 240_000;
/** Lets a candidate through whatever the live windows say of it. */
const EASY_GATE = { margin: 1, measuredLoss: 1, minWindows: 2 };
/** A round whose candidate is promoted once a person approves. */
const MANUAL = { participants: 20, windows: 2, approval: 'manual', gate: EASY_GATE };

/** Steps that a running round is reset to; all of them with FEDLOOP_RESETS=all. */
const RESETS =
  process.env['FEDLOOP_RESETS'] === 'all' ? BEFORE_DECISION : (['trainLocals', 'evaluate'] as const);

jest.setTimeout(TEST_MILLIS);

let system: RoundSystem;
let client: Client;
let rounds: RoundWatch;
let kafka: Kafka;
let deployments: Deployments;

beforeAll(async () => {
  system = await RoundSystem.start({ devices: 60, speed: 30 });
  client = await system.client();
  rounds = new RoundWatch(client, WAIT_MILLIS);
  kafka = await system.stream.connect();
  deployments = await followDeployments(kafka, silentLogger());
  await evaluation().executeUpdate('changeSettings', { args: [{ checkEvery: '1s' }] });
}, TEST_MILLIS);

afterEach(async () => {
  await verifiedAt(system.stream, system.urlOf('analytics'));
  await agreed();
});

afterAll(async () => {
  await deployments.close();
  await kafka.disconnect();
  await client.connection.close();
  await system.stop();
}, 60_000);

const evaluation = (): WorkflowHandle => client.workflow.getHandle(NAMES.evaluationId);
const startRound = (input: object): Promise<WorkflowHandle> => rounds.start(NAMES.roundId, input);

async function approved(round: WorkflowHandle): Promise<FederatedRoundResult> {
  await rounds.at(round, 'approve');
  expect(await round.executeUpdate('approve', { args: [{ by: 'Ada' }] })).toMatch(/^Approved/);
  return rounds.resultOf(round);
}

/** Wait until log, tables, evaluation and the latest round's search attributes name one champion. */
async function agreed(): Promise<void> {
  await deployments.sync();
  const champion = deployments.champion()?.version;
  await eventually(`${champion ?? 'no champion'} everywhere`, WAIT_MILLIS, async () => {
    const { rows } = await queryTable(
      system.urlOf('analytics'),
      "SELECT model_version FROM model_versions WHERE stage = 'champion'",
    );
    const tables = rows.map((row) => String(row['model_version'])).join();
    const { champion: watched, paused } = await evaluation().query<EvaluationProgress>('progress');
    const named = [tables, paused === null ? watched : champion];
    return named.every((name) => name === champion) ? { found: champion } : { seen: JSON.stringify(named) };
  });
  const candidates = deployments.inForce().filter(({ stage: { stage } }) => stage === 'candidate');
  expect(candidates.map(({ version }) => version)).toEqual([]);
}

async function stageOf(round: WorkflowHandle): Promise<unknown> {
  const { typedSearchAttributes } = await round.describe();
  return Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
}

function changeChampion(input: object): Promise<unknown> {
  return client.workflow.execute('changeChampion', {
    workflowId: `${NAMES.fleet}-champion`,
    taskQueue: NAMES.roundsQueue,
    args: [input],
  });
}

describe('from Temporal’s UI alone', () => {
  it('a round is started, and its candidate approved', async () => {
    const round = await startRound(MANUAL);
    const result = await approved(round);
    expect(result).toMatchObject({
      decision: 'promoted',
      reason: expect.stringMatching(/^approved by Ada/) as string,
    });
    expect(await stageOf(round)).toMatchObject({ FedloopVersion: result.version, FedloopStage: 'champion' });
    expect(deployments.champion()?.version).toBe(result.version);
  });

  it('a candidate is rejected', async () => {
    const before = deployments.champion()?.version;
    const round = await startRound(MANUAL);
    await rounds.at(round, 'approve');
    await round.executeUpdate('reject', { args: [{ reason: 'not today' }] });
    expect(await rounds.resultOf(round)).toMatchObject({ decision: 'rejected', champion: before });
    expect(await stageOf(round)).toMatchObject({ FedloopStage: 'rejected' });
  });

  it('a round and the evaluation are paused and resumed, and their settings changed', async () => {
    await evaluation().executeUpdate('pause', { args: [{ reason: 'maintenance' }] });
    const round = await startRound({ participants: 20, windows: 50 });
    await round.executeUpdate('pause');
    await round.executeUpdate('changeSettings', { args: [{ windows: 2, gate: EASY_GATE }] });
    await round.executeUpdate('resume');
    await evaluation().executeUpdate('changeSettings', { args: [{ onDrift: 'off', by: 'Ada' }] });
    await evaluation().executeUpdate('resume');
    expect(await rounds.resultOf(round)).toMatchObject({ windows: { count: 2 } });
  });

  it('the champion is rolled back, and another version promoted', async () => {
    const serving = deployments.champion()?.version;
    expect(
      await changeChampion({ action: 'rollback', version: serving, reason: 'sensors moved', by: 'Ada' }),
    ).toMatchObject({
      previous: serving,
      changed: true,
    });
    await agreed();
    expect(
      await changeChampion({ action: 'promote', version: serving, reason: 'they are back', by: 'Ada' }),
    ).toMatchObject({
      champion: serving,
      changed: true,
    });
    await deployments.sync();
    expect(deployments.champion()?.version).toBe(serving);
  });

  it('a round is terminated, and the next one withdraws its candidate', async () => {
    const round = await startRound(MANUAL);
    await rounds.at(round, 'approve');
    await round.terminate('by hand');
    const next = await startRound({ participants: 20, windows: 2, gate: EASY_GATE });
    await rounds.resultOf(next);
  });

  it.each(RESETS)('a running round is reset to %s, and goes on', async (step) => {
    const round = await startRound(MANUAL);
    await rounds.at(round, 'approve');
    const again = await resetTo(client, round, step);
    expect(await approved(again)).toMatchObject({ decision: 'promoted' });
    // What was decided stays, whoever resets it afterwards.
    await expect((await resetTo(client, again, 'trainLocals')).result()).rejects.toThrow();
  });

  it('a schedule is made by hand and triggered, and its run shows and answers for its round', async () => {
    const schedule = await client.schedule.create({
      scheduleId: 'by-hand',
      spec: { intervals: [{ every: '1d' }] },
      action: {
        type: 'startWorkflow',
        workflowType: 'federatedRound',
        workflowId: 'nightly',
        taskQueue: NAMES.roundsQueue,
        args: [MANUAL],
      },
    });
    await schedule.trigger();
    const started = await eventually('the run of the schedule', WAIT_MILLIS, async () => {
      const [action] = (await schedule.describe()).info.recentActions;
      return action === undefined ? { seen: 'no action' } : { found: action.action.workflow.workflowId };
    });
    const run = client.workflow.getHandle(started);
    await rounds.at(run, 'approve');
    await run.executeUpdate('approve');
    const result = await rounds.resultOf(run);
    expect(result).toMatchObject({ decision: 'promoted' });
    expect(await stageOf(run)).toMatchObject({ FedloopVersion: result.version, FedloopStage: 'champion' });
    await schedule.delete();
  });
});
