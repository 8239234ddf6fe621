import { hiddenActivations } from '../../../core/model/hidden-activations';
import { type TrainingSettings } from '../../../core/contracts/rounds';
import { LocalTrainer, type LocalTraining } from '../../../core/federation/training/local-training';
import { scoreLocalModels, scoringPanel } from '../../../core/federation/panels/local-scoring';
import { sumPanel, tallyProposals } from '../../../core/federation/panels/panel-scoring';
import { refitSums } from '../../../core/federation/panels/refit';
import { collectSamples } from '../../../core/federation/training/samples';
import { collectTrainingRows } from '../../../core/federation/training/training-rows';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { ModelsOnSamples } from '../../../core/model/batch-predictor';
import { addRow, emptyFeatureSums, scalingOf, writeFeatures } from '../../../core/model/features';
import { forward } from '../../../bench/support/reference-network';
import { initialWeights } from '../../../core/model/network';
import { parameterCount } from '../../../core/model/types';
import { seededRandom } from '../../../core/platform/random';
import { FEATURES, SHAPE } from '../../support/task';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const W = 30_000_000;
const LAST = 361;
const settings: TrainingSettings = { windows: 336, epochs: 3, learningRate: 0.05, batchSize: 32 };

/** Devices whose temperature swings once in 24 windows, each at its own phase, and some that cannot train. */
function site(): WindowRing {
  const ring = new WindowRing(DEFAULT_TASK);
  const random = seededRandom(2, 'site');
  for (let device = 0; device < 8; device += 1) {
    for (let window = 1; window <= LAST; window += 1) {
      const avg = 15 + 8 * Math.sin((2 * Math.PI * (window + 3 * device)) / 24) + 0.2 * random.normal();
      ring.put(`good-${device}`, window * W, avg, [50 + 10 * random.normal(), null]);
    }
  }
  for (let window = 1; window <= LAST; window += 1) {
    ring.put('stuck', window * W, 20, [50, 1000]);
    ring.put('broken', window * W, window === 200 ? NaN : 20 + Math.sin(window), [50, 1000]);
    if (window > LAST - 27) ring.put('young', window * W, Math.sin(window), [50, 1000]);
  }
  return ring;
}

const ring = site();
const good = Array.from({ length: 6 }, (_, device) => `good-${device}`);
const panel = ['good-6', 'good-7'];
const units = { scaling: scalingOf(DEFAULT_TASK, sums()), tolerance: 1 };
const base = initialWeights(SHAPE, 1);

function sums(): ReturnType<typeof emptyFeatureSums> {
  const total = emptyFeatureSums(DEFAULT_TASK);
  const row = new Float32Array(FEATURES);
  for (const device of good) {
    const series = ring.seriesUntil(device, LAST * W, LAST);
    for (let latest = 24; latest < LAST; latest += 1)
      if (writeFeatures(DEFAULT_TASK, series, latest, row, 0)) addRow(total, row, 0);
  }
  return total;
}

async function train(
  deviceIds: readonly string[],
  boundaryWidth: number | null = null,
): Promise<LocalTraining> {
  const trainer = await LocalTrainer.create({ shape: SHAPE, settings, proximal: 0, threads: 1 });
  const range = { until: LAST * W, windows: settings.windows };
  const trained = await trainer.train(collectTrainingRows(ring, deviceIds, range, units), {
    base,
    boundaryWidth,
    random: seededRandom(1, 'train'),
  });
  await trainer.release();
  return trained;
}

describe('local training', () => {
  it('makes one update a device that is better on its own data than what came in', async () => {
    const { devices, deltas, leftOut } = await train(good);
    expect(devices.map(({ device_id: id }) => id)).toEqual(good);
    expect(leftOut).toEqual([]);
    expect(deltas).toHaveLength(6 * parameterCount(SHAPE));
    for (const device of devices) {
      expect(device.rows).toBe(336);
      expect(device.self_reported_loss).toBeLessThan(device.base_loss / 2);
      expect(device.self_reported_accuracy).toBeGreaterThan(0.7);
    }
  });

  it('leaves out devices with constant data, too few rows or values that are no numbers', async () => {
    const { devices, leftOut } = await train(['stuck', 'good-0', 'young', 'broken', 'nobody']);
    expect(devices.map(({ device_id: id }) => id)).toEqual(['good-0']);
    expect(leftOut).toEqual([
      { device_id: 'stuck', reason: 'constant-data' },
      { device_id: 'young', reason: 'too-few-rows' },
      { device_id: 'broken', reason: 'not-finite' },
      { device_id: 'nobody', reason: 'too-few-rows' },
    ]);
  });

  it('has nothing to send when nobody can train', async () => {
    expect(await train(['stuck'])).toMatchObject({ devices: [], deltas: new Float32Array(0) });
  });

  it('repeats itself, and boundary weighting changes what is learned', async () => {
    const [one, again, edged] = [await train(good), await train(good), await train(good, 0.6)];
    expect(again.deltas).toEqual(one.deltas);
    expect(edged.deltas).not.toEqual(one.deltas);
    expect(edged.devices[0]!.base_loss).toBe(one.devices[0]!.base_loss);
  });
});

describe('real accuracy on a panel', () => {
  it('counts what the reference network gets right, over all windows and the recent ones', async () => {
    const { deltas } = await train(good.slice(0, 2));
    const samples = collectSamples(ring, panel, { until: LAST * W, windows: 24 }, units);
    expect(samples.count).toBe(48);
    const predictor = await ModelsOnSamples.create({ shape: SHAPE, threads: 1 });
    const scores = await scoreLocalModels(predictor, base, deltas, scoringPanel(samples));
    const recent = collectSamples(ring, panel, { until: LAST * W, windows: 6 }, units);
    expect([scores.rows_long, scores.rows_recent, recent.count]).toEqual([48, 12, 12]);
    const P = base.length;
    for (const model of [0, 1]) {
      const weights = base.map((value, at) => value + deltas[model * P + at]!);
      const rights = (of: typeof samples): number =>
        forward(SHAPE, weights, of.x, of.count).reduce(
          (sum, output, at) => sum + (Math.abs(output - of.y[at]!) <= 1 ? 1 : 0),
          0,
        );
      expect(scores.correct_long[model]).toBe(rights(samples));
      expect(scores.correct_recent[model]).toBe(rights(recent));
    }
  });

  it('gives refit sums, a block for each of the six freshest windows, and tallies of proposals', async () => {
    const samples = collectSamples(ring, panel, { until: LAST * W, windows: 6 }, units);
    const outputs = forward(SHAPE, base, samples.x, samples.count);
    const sums = sumPanel(SHAPE, base, samples, 6);
    const expected = refitSums(SHAPE, {
      activations: hiddenActivations(SHAPE, base, samples.x),
      outputs,
      actual: samples.y,
      blockOf: samples.age,
      deviceOf: samples.device,
    });
    expect(sums.blocks.map(({ rows }) => rows)).toEqual([2, 2, 2, 2, 2, 2]);
    sums.blocks.forEach(({ moment }, place) => {
      moment.forEach((value, at) => {
        expect(value).toBeCloseTo(expected.blocks[place]!.moment[at]!, 4);
      });
    });
    const predictor = await ModelsOnSamples.create({ shape: SHAPE, threads: 1 });
    const [same] = await tallyProposals(predictor, base, [base], samples);
    expect(same).toMatchObject({ rows: 12, devices: 2, difference: 0, squaredDifference: 0 });
  });
});

describe('samples', () => {
  it('never look at the window they are about: changing it changes the target alone', () => {
    const series = ring.seriesUntil('good-0', LAST * W, LAST);
    const changed = new WindowRing(DEFAULT_TASK);
    for (let window = 1; window <= LAST; window += 1)
      changed.put('x', window * W, series.target[window - 1]! + (window === LAST ? 5 : 0), [
        series.covariates[0]![window - 1]!,
        null,
      ]);
    const before = collectSamples(ring, ['good-0'], { until: LAST * W, windows: 1 }, units);
    const after = collectSamples(changed, ['x'], { until: LAST * W, windows: 1 }, units);
    expect(after.y[0]! - before.y[0]!).toBeCloseTo(5, 4);
    expect([...after.x]).toEqual([...before.x]);
  });

  it('are there only where the target and 20 of 24 lags are', () => {
    const gappy = new WindowRing(DEFAULT_TASK);
    for (let window = 1; window <= 60; window += 1)
      if (window !== 50) gappy.put('g', window * W, window, [null, null]);
    const samples = collectSamples(gappy, ['g'], { until: 60 * W, windows: 12 }, units);
    // Target 50 is missing, and target 51 lacks its latest mean.
    expect([...samples.age]).toEqual([11, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect([...samples.x].every(Number.isFinite)).toBe(true);
  });
});
