import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { versionIdSchema } from '../../../core/contracts/ids';
import { type FederatedRoundResult } from '../../../core/contracts/rounds';
import { seededRandom } from '../../../core/platform/random';
import { compareVersions, compareWithPersistence } from '../../../core/warehouse/queries/comparison';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import {
  deviceFeedbackOfRange,
  worstDevicesIn,
  worstDevicesOfRange,
} from '../../../core/warehouse/feedback/by-device';
import { feedbackOfRange } from '../../../core/warehouse/feedback/queries';
import { storeFeedback } from '../../../core/warehouse/feedback/store';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { lifetimeScores, pastRounds, saveRound } from '../../../core/warehouse/queries/rounds';
import { Sink } from '../../../core/warehouse/sink/sink';
import { list } from '../../../core/warehouse/database/values';
import { agreeOnSettings, batch, evaluationBlock, record, T0, WINDOW, type EvaluationRow } from './helpers';

let warehouse: Warehouse;
let connection: SerialConnection;
let sink: Sink;
let offset = 0;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  await agreeOnSettings(connection);
  sink = await Sink.open(connection);
  offset = 0;
});
afterEach(async () => {
  await warehouse.close();
});

const v = (name: string) => versionIdSchema.parse(name);
async function evaluate(window: number, rows: readonly EvaluationRow[]): Promise<void> {
  await sink.store([batch('evaluations', 0, [record(offset, evaluationBlock({ window }, rows))])]);
  offset += 1;
}
const everything = { from: T0, until: T0 + 100 * WINDOW };

describe('feedback on a range of windows', () => {
  it('is counted from rows, by version', async () => {
    await evaluate(0, [
      {
        version: 'v0',
        device: 'a',
        error: 0.5,
        confidence: 0.9,
        persistence: 1,
        predicted: 1,
        actual: 1,
        regime: 'rising',
      },
      {
        version: 'v0',
        device: 'b',
        error: -2,
        confidence: 0.1,
        persistence: 3,
        predicted: 1,
        actual: 0,
        regime: 'falling',
      },
      { version: 'v1', device: 'a', error: 0, confidence: 1, persistence: 1, predicted: null, actual: null },
    ]);
    await evaluate(1, [
      {
        version: 'v0',
        device: 'a',
        error: 0.5,
        confidence: 1,
        persistence: 0.5,
        predicted: 0,
        actual: 1,
        regime: 'rising',
      },
      {
        version: 'v0',
        device: 'b',
        error: 3,
        confidence: 0.95,
        persistence: 1,
        predicted: 0,
        actual: 0,
        regime: 'steady',
      },
    ]);
    const [first, second] = await feedbackOfRange(connection, {
      scope: 'round',
      round: 3,
      ...everything,
      tolerance: 1,
    });
    expect(first).toEqual({
      type: 'feedback',
      scope: 'round',
      round: 3,
      model_version: 'v0',
      window_start: T0,
      window_end: T0 + 2 * WINDOW,
      n: 4,
      n_correct: 2,
      accuracy: 0.5,
      skill: 1 - 6 / 5.5,
      mae: 1.5,
      rmse: Math.sqrt((0.25 + 4 + 0.25 + 9) / 4),
      bias: 0.5,
      calibration: expect.closeTo((Math.abs(2 - 2.85) + 0.1) / 4, 12) as number,
      persistence_accuracy: 0.75,
      tolerance: 1,
      by_regime: {
        normal: { n: 2, n_correct: 0, accuracy: 0 },
        anomalous: { n: 2, n_correct: 2, accuracy: 1 },
        rising: { n: 2, n_correct: 2, accuracy: 1 },
        falling: { n: 1, n_correct: 0, accuracy: 0 },
        steady: { n: 1, n_correct: 0, accuracy: 0 },
      },
      anomalies: {
        true_positive: 1,
        false_positive: 1,
        false_negative: 1,
        true_negative: 1,
        tendency: 'balanced',
        truth: 'labels or Grubbs',
        by_kind: {},
      },
      worst_devices: [
        { device_id: 'b', n: 2, accuracy: 0, mae: 2.5, bias: 0.5 },
        { device_id: 'a', n: 2, accuracy: 1, mae: 0.5, bias: 0.5 },
      ],
    });
    expect(second).toMatchObject({
      model_version: 'v1',
      n: 1,
      accuracy: 1,
      window_end: T0 + WINDOW,
      skill: 1,
      anomalies: { tendency: 'unknown', truth: 'none' },
    });
  });

  it('counts predicted anomalies by kind, those of which nobody knows too, and rests on labels where versions have bands', async () => {
    const rows = [
      { device: 'a', predicted: 1, actual: 1, kind: 'spike' },
      { device: 'b', predicted: 1, actual: 0, kind: 'spike' },
      { device: 'c', predicted: 1, actual: null, kind: 'shift' },
      { device: 'd', predicted: 0, actual: 0, kind: null },
    ] as const;
    await evaluate(
      0,
      rows.map((row) => ({ version: 'v0', error: 0, ...row })),
    );
    const [feedback] = await feedbackOfRange(connection, {
      scope: 'round',
      round: 3,
      ...everything,
      tolerance: 1,
    });
    expect(feedback?.anomalies).toEqual({
      true_positive: 1,
      false_positive: 1,
      false_negative: 0,
      true_negative: 1,
      tendency: 'balanced',
      truth: 'labels',
      by_kind: {
        spike: { predicted: 2, true_positive: 1, false_positive: 1 },
        shift: { predicted: 1, true_positive: 0, false_positive: 0 },
      },
    });
  });

  it('is nothing where nothing was measured', async () => {
    expect(
      await feedbackOfRange(connection, { scope: 'window', round: null, ...everything, tolerance: 1 }),
    ).toEqual([]);
  });

  it('names at most ten of the worst devices, and lists all of them in chunks of a thousand', async () => {
    await evaluate(
      0,
      Array.from({ length: 2300 }, (_, index) => ({
        version: 'v0',
        device: `d${String(index).padStart(4, '0')}`,
        error: index / 1000,
      })),
    );
    const [feedback] = await feedbackOfRange(connection, {
      scope: 'window',
      round: null,
      ...everything,
      tolerance: 1,
    });
    expect(feedback!.worst_devices.map(({ device_id }) => device_id)).toEqual(
      Array.from({ length: 10 }, (_, index) => `d${2299 - index}`),
    );
    const chunks = await deviceFeedbackOfRange(connection, { ...everything, round: 1, version: v('v0') });
    expect(chunks.map(({ chunk, last, device_id }) => [chunk, last, device_id.length])).toEqual([
      [0, false, 1000],
      [1, false, 1000],
      [2, true, 300],
    ]);
    expect(chunks.flatMap(({ n_correct }) => n_correct).reduce((sum, n) => sum + n, 0)).toBe(1001);
  });

  it('names the same worst devices from the figures of all of them as from the tables', async () => {
    const random = seededRandom(7, 'worst devices');
    // Few different errors, so that many devices are equally bad.
    for (const window of [0, 1, 2]) {
      await evaluate(
        window,
        Array.from({ length: 1200 }, (_, index) => ({
          version: 'v0',
          device: `d${(index * 7919) % 1200}`,
          error: Math.floor(random.uniform() * 4) - 1.5,
        })),
      );
    }
    const messages = await deviceFeedbackOfRange(connection, { ...everything, round: 1, version: v('v0') });
    const fromTables = await worstDevicesOfRange(connection, everything);
    expect(worstDevicesIn(messages)).toHaveLength(10);
    expect(worstDevicesIn(messages)).toEqual(fromTables.get(v('v0')));
  });

  it('is stored once, however often it is published, with null for what is unknown', async () => {
    const row = { device: 'a', error: 0.1 + 0.2, persistence: 0 };
    await evaluate(0, [
      { version: 'v0', ...row },
      { version: 'v1', ...row },
    ]);
    const feedback = await feedbackOfRange(connection, {
      scope: 'window',
      round: null,
      ...everything,
      tolerance: 1,
    });
    await storeFeedback(connection, feedback);
    await storeFeedback(connection, feedback);
    const ofRound = feedback.map((one) => ({ ...one, scope: 'round' as const, round: 1 }));
    await storeFeedback(connection, ofRound);
    const stored = await connection.rows(
      z.object({
        scope: z.string(),
        round: z.int().nullable(),
        model_version: z.string(),
        window_start: z.int(),
        n: z.int(),
        skill: z.number().nullable(),
        mae: z.number(),
        tendency: z.string(),
        feedback: z.string(),
      }),
      'SELECT * FROM model_feedback ORDER BY scope DESC, model_version',
    );
    expect(stored).toEqual(
      [...feedback, ...ofRound].map((one) => ({
        scope: one.scope,
        round: one.round,
        model_version: one.model_version,
        window_start: T0,
        n: 1,
        skill: null,
        mae: 0.1 + 0.2,
        tendency: 'unknown',
        feedback: JSON.stringify(one),
      })),
    );
  });
});

describe('comparing versions', () => {
  it('uses the device-windows that all of them forecast, summed by cluster and window', async () => {
    await connection.run('INSERT INTO devices SELECT unnest($d), $series, unnest($s)', {
      d: list(['a', 'b'], VARCHAR),
      s: list(['7', '7'], VARCHAR),
      series: 'weather',
    });
    const row = (version: string, device: string, error: number) => ({ version, device, error });
    await evaluate(0, [
      row('v0', 'a', 2),
      row('v1', 'a', 0),
      row('v0', 'b', 0),
      row('v1', 'b', 0),
      row('v0', 'c', 0),
      row('v1', 'c', 2),
    ]);
    await evaluate(1, [row('v0', 'a', 2), row('v0', 'b', 0), row('v1', 'b', 0), row('v1', 'z', 0)]);
    const comparison = await compareVersions(connection, {
      ...everything,
      champion: v('v0'),
      candidates: [v('v1')],
      tolerance: 1,
    });
    expect(comparison).toMatchObject({
      windows: [T0, T0 + WINDOW],
      devices: 3,
      champion: {
        version: 'v0',
        evaluations: 4,
        correct: 3,
        accuracy: 0.75,
        bias: 0.5,
        mae: 0.5,
        persistenceAccuracy: 0,
      },
      candidates: [
        {
          counts: { version: 'v1', evaluations: 4, correct: 3 },
          clusters: [
            { cluster: 'device c', windowStart: T0, n: 1, candidateCorrect: 0, championCorrect: 1 },
            { cluster: 'slot 7', windowStart: T0, n: 2, candidateCorrect: 2, championCorrect: 1 },
            { cluster: 'slot 7', windowStart: T0 + WINDOW, n: 1, candidateCorrect: 1, championCorrect: 1 },
          ],
        },
      ],
    });
  });

  it('sets a version beside persistence on its own device-windows', async () => {
    await evaluate(0, [
      { version: 'v0', device: 'a', error: 0, persistence: 2 },
      { version: 'v0', device: 'b', error: 2, persistence: 0.5 },
      { version: 'v1', device: 'b', error: 0 },
    ]);
    expect(
      await compareWithPersistence(connection, { ...everything, version: v('v0'), tolerance: 1 }),
    ).toEqual([
      { cluster: 'device a', windowStart: T0, n: 1, candidateCorrect: 1, championCorrect: 0 },
      { cluster: 'device b', windowStart: T0, n: 1, candidateCorrect: 0, championCorrect: 1 },
    ]);
  });

  it('can be limited to some devices, such as the healthy ones', async () => {
    await evaluate(0, [
      { version: 'v0', device: 'a', error: 2 },
      { version: 'v1', device: 'a', error: 0 },
      { version: 'v0', device: "o'b", error: 0 },
      { version: 'v1', device: "o'b", error: 2 },
    ]);
    const query = (devices: readonly string[]) =>
      compareVersions(connection, {
        ...everything,
        champion: v('v0'),
        candidates: [v('v1')],
        tolerance: 1,
        devices,
      });
    expect((await query(["o'b"]))?.candidates[0]?.counts.accuracy).toBe(0);
    expect(await query([])).toBeNull();
  });
});

describe('rounds', () => {
  const score = (version: string, accuracy: number) => ({
    version: v(version),
    evaluations: 10,
    correct: accuracy * 10,
    accuracy,
    accuracyCi95: [accuracy - 0.1, accuracy + 0.1] as [number, number],
    bias: 0,
    mae: 1,
    skill: 0.1,
    persistenceAccuracy: 0.3,
  });
  const result = (round: number): FederatedRoundResult => ({
    round,
    version: v(`v${round}`),
    champion: v(`v${round - 1}`),
    decision: 'promoted',
    reason: 'better',
    strategy: 'closed-loop',
    role: 'steady',
    windows: { count: 1, from: T0 + round * WINDOW, until: T0 + round * WINDOW },
    candidate: score(`v${round}`, 0.8),
    previousChampion: score(`v${round - 1}`, 0.7),
    pairedChange: { mean: 0.1, low: 0.05, high: 0.15 },
    selfReportedAccuracy: 0.9,
    localRealAccuracy: 0.7,
    selfReportGap: {
      count: 18,
      selfReportedAccuracy: 0.9,
      realAccuracy: 0.7,
      gap: 0.2,
      worst: [{ deviceId: 'boaster', selfReportedAccuracy: 1, realAccuracy: 0.1 }],
    },
    updates: { trained: 20, used: 18, leftOut: { 'not-finite': 2 } },
    feedbackUsed: { weights: 'real accuracy' },
  });
  it('are stored once and come back as they were', async () => {
    await saveRound(connection, result(2), 'try-1');
    await saveRound(connection, result(1), 'try-1');
    await saveRound(connection, result(1), 'try-1');
    expect(await pastRounds(connection, 5)).toEqual([result(1), result(2)]);
    expect(await pastRounds(connection, 1)).toEqual([result(2)]);
  });

  it('have lifetime scores of every version that was measured', async () => {
    await evaluate(0, [
      { version: 'v0', device: 'a', error: 0 },
      { version: 'v0', device: 'b', error: 2, persistence: 0.5 },
    ]);
    await evaluate(1, [{ version: 'v0', device: 'a', error: 0 }]);
    expect(await lifetimeScores(connection)).toEqual([
      { version: 'v0', evaluations: 3, accuracy: 2 / 3, servedAccuracy: 2 / 3, persistenceAccuracy: 1 / 3 },
    ]);
  });
});
