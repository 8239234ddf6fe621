import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { createAnalyticsActivities, type AnalyticsActivities } from '../../../activities/analytics';
import { environmentSchema } from '../../../core/contracts/config';
import { versionIdSchema } from '../../../core/contracts/ids';
import { federatedRoundInputSchema, federatedRoundResultSchema } from '../../../core/contracts/rounds';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { type EvaluateInput, type EvaluateResult } from '../../../core/contracts/steps';
import { TOPICS } from '../../../core/contracts/topics';
import { silentLogger } from '../../../core/platform/log';
import { createMetrics } from '../../../core/platform/metrics';
import { TRUSTED } from '../../../core/warehouse/sink/origins';
import { WarehouseService } from '../../../core/warehouse/service';
import { FakeKafka } from '../warehouse/fake-kafka';
import {
  analysisBlock,
  query,
  evaluationBlock,
  T0,
  temporaryFolder,
  WINDOW,
  withConnection,
} from '../warehouse/helpers';
import { activityEnvironment, activityWorld, deployAs, type ActivityWorld } from './world';

/** Every step that runs at the owner of the tables, as activities: real tables, and the stream's results as they come through Kafka. */
// A crowded machine takes its time to open a warehouse.
jest.setTimeout(30_000);

const v = (name: string) => versionIdSchema.parse(name);
const folder = temporaryFolder();
const DEVICES = 30;
let runs = 0;
let processed: string;
let kafka: FakeKafka;
let service: WarehouseService;
let analytics: AnalyticsActivities;
let world: ActivityWorld;

beforeEach(async () => {
  runs += 1;
  processed = join(folder.path, `processed-${runs}`);
  mkdirSync(processed);
  kafka = new FakeKafka(1);
  kafka.append(TOPICS.stream.name, 0, 'an event');
  service = await WarehouseService.start({
    kafka: kafka.asKafka(),
    env: environmentSchema.parse({
      FEDLOOP_WAREHOUSE: join(folder.path, `${runs}.duckdb`),
      FEDLOOP_PROCESSED: processed,
    }),
    settings: DEFAULT_STREAM_SETTINGS,
    log: silentLogger(),
    registry: createMetrics('analytics'),
    origins: TRUSTED,
  });
  world = await activityWorld();
  analytics = createAnalyticsActivities({ service, deployments: world.deployments, processed });
});
afterEach(() => service.stop());
afterAll(() => {
  folder.remove();
});

const input = (about: Partial<EvaluateInput> = {}): EvaluateInput => ({
  round: 1,
  attempt: 'this-try',
  champion: v('v0'),
  elected: v('v1'),
  candidates: [v('v1'), v('v1-steady')],
  windows: 3,
  windowsTimeoutMillis: 4_000,
  gate: federatedRoundInputSchema.parse({}).gate,
  ...about,
});

/** The stream worker says from which window on it evaluates a version. */
function activate(version: string, window: number): void {
  kafka.append(
    TOPICS.checkpoints.name,
    0,
    {
      type: 'activation',
      partition: 0,
      epoch: 1,
      version,
      from_window: T0 + window * WINDOW,
      residual_stddev: null,
    },
    { key: `activation/0/${version}/1` },
  );
}

/** A live window closes: so many of 30 devices were forecast right by each version. */
async function close(window: number, right: Readonly<Record<string, number>>): Promise<void> {
  const rows = Object.entries(right).flatMap(([version, count]) =>
    Array.from({ length: DEVICES }, (_, device) => ({
      version,
      device: `d${device}`,
      error: (device + window) % DEVICES < count ? 0.2 : 3,
    })),
  );
  kafka.append(
    TOPICS.analysis.name,
    0,
    analysisBlock(
      { window },
      Array.from({ length: DEVICES }, (_, device) => `d${device}`),
    ),
  );
  kafka.append(TOPICS.evaluations.name, 0, evaluationBlock({ window }, rows));
  await kafka.deliver();
}

const asked = () => kafka.sent(TOPICS.windowRequests.name).map(({ value }) => value);

describe('evaluating on live windows', () => {
  it('asks for windows from where every candidate is evaluated, says how many have come, and compares pair by pair', async () => {
    const { environment, heartbeats } = activityEnvironment();
    const result: Promise<EvaluateResult> = environment.run(() => analytics.evaluate(input()));
    activate('v1', 1);
    activate('v1-steady', 2);
    await kafka.deliver();
    await kafka.whenSent(TOPICS.windowRequests.name, 1);
    expect(asked()).toEqual([
      { type: 'window-request', id: '1/this-try', windows: 3, from_window: T0 + 2 * WINDOW },
    ]);
    // Not all candidates are evaluated in the first of these.
    for (let window = 1; window <= 4; window += 1) await close(window, { v0: 15, v1: 24, 'v1-steady': 18 });
    const { windows, scores, pairedChange, verdict } = await result;
    expect(windows).toEqual({ count: 3, from: T0 + 2 * WINDOW, until: T0 + 4 * WINDOW });
    expect(scores.map(({ version, evaluations, correct }) => [version, evaluations, correct])).toEqual([
      ['v0', 90, 45],
      ['v1', 90, 72],
      ['v1-steady', 90, 54],
    ]);
    expect(pairedChange.mean).toBeCloseTo(0.3);
    expect(verdict).toMatchObject({ decision: 'promoted' });
    expect(heartbeats).toContainEqual({ windows: 3, of: 3 });
  });

  it('judges by the windows that came in time, and the gate says that they are too few', async () => {
    activate('v1', 0);
    await close(0, { v0: 15, v1: 24 });
    const evaluating = activityEnvironment().environment.run(() =>
      analytics.evaluate(input({ candidates: [v('v1')], windowsTimeoutMillis: 50 })),
    );
    expect(await evaluating).toMatchObject({
      windows: { count: 1 },
      verdict: { decision: 'rejected', reason: 'only 1 of 3 live windows were measured' },
    });
  });

  it('fails for good with TooFewWindows when not one came in time', async () => {
    activate('v1', 0);
    await kafka.deliver();
    const evaluating = activityEnvironment().environment.run(() =>
      analytics.evaluate(input({ candidates: [v('v1')], windowsTimeoutMillis: 50 })),
    );
    await expect(evaluating).rejects.toMatchObject({
      type: 'TooFewWindows',
      nonRetryable: true,
      message: expect.stringContaining('give the round a longer windowsTimeout') as string,
    });
  });

  it.each([
    { measured: 1, says: { verdict: { reason: 'only 1 of 3 live windows were measured' } } },
    {
      measured: 0,
      says: {
        type: 'TooFewWindows',
        message:
          'v1 was taken out of service by Carl while its round measured it (it is bad), and only a person brings it back. Start another round.',
      },
    },
  ])(
    'waits no longer once its candidate was taken out of service, with $measured windows measured',
    async ({ measured, says }) => {
      const stage = { version: v('v1'), round: 1, reason: 'it is bad', by: 'Carl' };
      await deployAs(world, { ...stage, stage: 'candidate' });
      activate('v1', 0);
      for (let window = 0; window < measured; window += 1) await close(window, { v0: 15, v1: 24 });
      await kafka.deliver();
      const about = { candidates: [v('v1')], windowsTimeoutMillis: 600_000 };
      const ended: Promise<unknown> = activityEnvironment()
        .environment.run(() => analytics.evaluate(input(about)))
        .catch((thrown: unknown) => thrown);
      await kafka.whenSent(TOPICS.windowRequests.name, 1);
      await deployAs(world, { ...stage, stage: 'rolled-back' });
      expect(await ended).toMatchObject(says);
    },
  );

  it('says that the round’s champion is measured no more, when two others have followed it', async () => {
    activate('v1', 0);
    await close(0, { v0: 15, v1: 24 });
    const about = { champion: v('v0.1'), candidates: [v('v1')], windowsTimeoutMillis: 50 };
    const evaluating = activityEnvironment().environment.run(() => analytics.evaluate(input(about)));
    await expect(evaluating).rejects.toMatchObject({
      type: 'TooFewWindows',
      message: expect.stringContaining(
        'v0 became champion while the round compared its candidate with v0.1',
      ) as string,
    });
  });

  it('is cancelled, not failed, when its worker stops: the step goes to another worker, and the round goes on', async () => {
    const { environment } = activityEnvironment();
    const evaluating = environment.run(() => analytics.evaluate(input({ candidates: [v('v1')] })));
    activate('v1', 0);
    await kafka.deliver();
    await kafka.whenSent(TOPICS.windowRequests.name, 1);
    environment.cancel('WORKER_SHUTDOWN');
    await expect(evaluating).rejects.toBeInstanceOf(CancelledFailure);
  });
});

describe('feeding back', () => {
  /** What the round makes of the windows that were evaluated. */
  async function judged(): Promise<Parameters<AnalyticsActivities['feedBack']>[0]> {
    for (const version of ['v1', 'v1-steady']) activate(version, 0);
    for (let window = 0; window < 3; window += 1) await close(window, { v0: 15, v1: 24, 'v1-steady': 18 });
    const evaluation: EvaluateResult = await activityEnvironment().environment.run(() =>
      analytics.evaluate(input()),
    );
    const [previousChampion, candidate] = evaluation.scores;
    return {
      attempt: 'this-try',
      candidates: [v('v1'), v('v1-steady')],
      result: federatedRoundResultSchema.parse({
        round: 1,
        version: 'v1',
        champion: 'v0',
        ...evaluation.verdict,
        strategy: 'closed-loop',
        role: 'responsive',
        windows: evaluation.windows,
        candidate,
        previousChampion,
        pairedChange: evaluation.pairedChange,
        selfReportedAccuracy: null,
        localRealAccuracy: null,
        updates: { trained: 20, used: 20, leftOut: {} },
        feedbackUsed: {},
      }),
    };
  }

  it('says the verdict on every version, its devices before it, and keeps the round; again, it says and changes nothing', async () => {
    const told = await judged();
    const feedBack = () => activityEnvironment().environment.run(() => analytics.feedBack(told));
    await feedBack();
    const verdicts = () =>
      kafka
        .sent(TOPICS.feedback.name)
        .map(
          ({ value }) => value as { type: string; scope?: string; model_version: string; accuracy?: number },
        )
        .filter(({ type, scope }) => type === 'device-feedback' || scope === 'round')
        .map(({ type, model_version, accuracy }) => [type, model_version, accuracy]);
    const once = [
      ['device-feedback', 'v0', undefined],
      ['device-feedback', 'v1', undefined],
      ['device-feedback', 'v1-steady', undefined],
      ['feedback', 'v0', 0.5],
      ['feedback', 'v1', 0.8],
      ['feedback', 'v1-steady', 0.6],
    ];
    expect(verdicts()).toEqual(once);
    await feedBack();
    expect(verdicts()).toEqual(once);
    const kept = await withConnection(service.warehouse, (connection) =>
      query(
        connection,
        `SELECT (SELECT count(*) FROM federated_rounds) AS rounds,
                (SELECT count(*) FROM model_feedback WHERE scope = 'round') AS verdicts`,
      ),
    );
    expect(kept).toEqual([{ rounds: 1, verdicts: 3 }]);
  });
});

describe('the batch path', () => {
  const csv = (name: string): void => {
    writeFileSync(
      join(processed, name),
      'device_id,timestamp,temperature\nd1,2020-01-01T00:00:00Z,20\nd1,2020-01-01T01:00:00Z,22\n',
    );
  };

  it('counts the processed files, and tells after each how many are left', async () => {
    csv('a.csv');
    csv('b.csv');
    const { environment, heartbeats } = activityEnvironment();
    expect(await environment.run(() => analytics.runBatch({}))).toMatchObject({
      files: { counted: 2, unchanged: 0, removed: 0 },
      rows: 4,
    });
    expect(heartbeats).toEqual([
      { done: 1, files: 2 },
      { done: 2, files: 2 },
    ]);
  });

  it('stops between two files when it is cancelled, and goes on from there another time', async () => {
    csv('a.csv');
    csv('b.csv');
    const { environment } = activityEnvironment();
    environment.on('heartbeat', () => {
      environment.cancel();
    });
    await expect(environment.run(() => analytics.runBatch({}))).rejects.toBeInstanceOf(CancelledFailure);
    expect(await activityEnvironment().environment.run(() => analytics.runBatch({}))).toMatchObject({
      files: { counted: 1, unchanged: 1 },
    });
  });

  it.each(['../elsewhere', '/etc'])(
    'refuses the folder %s outside of processed/, for good',
    async (directory) => {
      await expect(
        activityEnvironment().environment.run(() => analytics.runBatch({ directory })),
      ).rejects.toMatchObject({ type: 'InvalidInput', nonRetryable: true });
    },
  );

  it('says which folder is not there', async () => {
    await expect(
      activityEnvironment().environment.run(() => analytics.runBatch({ directory: 'nowhere' })),
    ).rejects.toMatchObject({ type: 'InvalidData', nonRetryable: true });
  });
});
