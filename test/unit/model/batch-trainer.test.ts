import fc from 'fast-check';
import { BatchTrainer, type TrainerOptions } from '../../../core/model/batch-trainer';
import { planEpoch, stepsOfEpoch, type TrainingChunk } from '../../../core/model/epoch-plan';
import { DEVICES_PER_TRAINING_RUN } from '../../../core/model/limits';
import { loss, sgdStep } from '../../../bench/support/reference-network';
import { initialWeights } from '../../../core/model/network';
import { parameterCount, type FlatWeights, type NetworkShape } from '../../../core/model/types';
import { seededRandom, type Random } from '../../../core/platform/random';
import { largestDifference, randomChunk, slopesOf, SMALL } from './fixtures';
import { SHAPE } from '../../support/task';

const OPTIONS: TrainerOptions = {
  shape: SMALL,
  batchSize: 8,
  rows: 30,
  epochs: 2,
  learningRate: 0.05,
  residualClip: 2,
  threads: 1,
};

async function train(
  options: TrainerOptions,
  chunk: TrainingChunk,
  base: FlatWeights,
  random: Random,
  corrections?: Float32Array,
): Promise<Float32Array> {
  const trainer = await BatchTrainer.create(options);
  try {
    return await trainer.train(chunk, base, random, corrections);
  } finally {
    await trainer.release();
  }
}

/** The same work in plain TypeScript: device by device, row by row. */
function referenceTrain(
  options: TrainerOptions,
  chunk: TrainingChunk,
  base: FlatWeights,
  random: Random,
  corrections?: Float32Array,
): Float32Array {
  const { shape, batchSize, rows, epochs, residualClip, learningRate, proximal } = options;
  const parameters = parameterCount(shape);
  const baseOf = (device: number): Float32Array =>
    base.length === parameters ? base : base.subarray(device * parameters, (device + 1) * parameters);
  const trained = Array.from({ length: chunk.devices }, (_, device) => baseOf(device).slice());
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const plan = planEpoch(chunk, options, random);
    for (let step = 0; step < stepsOfEpoch(rows, batchSize); step += 1) {
      trained.forEach((weights, device) => {
        const from = (step * chunk.devices + device) * batchSize;
        const inBatch = [...plan.row.subarray(from, from + batchSize)].filter(
          (_, at) => plan.stepSize[from + at] !== 0,
        );
        if (inBatch.length === 0) return;
        const batch = {
          rows: inBatch.length,
          x: Float32Array.from(inBatch.flatMap((row) => [...rowOf(chunk, shape, row)])),
          y: Float32Array.from(inBatch, (row) => chunk.y[row]!),
          sampleWeights: Float32Array.from(inBatch, (row) => chunk.sampleWeights[row]!),
        };
        sgdStep(shape, weights, batch, {
          learningRate,
          residualClip,
          ...(proximal === undefined ? {} : { proximal: { mu: proximal, base: baseOf(device) } }),
        });
        corrections?.subarray(device * parameters, (device + 1) * parameters).forEach((correction, at) => {
          weights[at] = weights[at]! - learningRate * correction;
        });
      });
    }
  }
  return Float32Array.from(trained.flatMap((weights) => [...weights]));
}

function rowOf(chunk: TrainingChunk, { inputs }: NetworkShape, row: number): Float32Array {
  return chunk.x.subarray(row * inputs, (row + 1) * inputs);
}

describe('an epoch', () => {
  it('leaves out a last batch of at most half the size, unless there is no other', () => {
    expect([1, 16, 32, 48, 49, 256, 336, 337].map((rows) => stepsOfEpoch(rows, 32))).toEqual([
      1, 1, 1, 1, 2, 8, 10, 11,
    ]);
    expect(stepsOfEpoch(0, 32)).toBe(0);
  });

  it('takes every row of a device once, and no padding', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 1000 }),
        (ownRows, seed) => {
          const shape = { rows: 24, batchSize: 8, learningRate: 1 };
          const plan = planEpoch(randomChunk(SMALL, 24, ownRows, seed), shape, seededRandom(seed));
          const taken = [...plan.row].filter((_, at) => plan.stepSize[at] !== 0).sort((a, b) => a - b);
          const own = ownRows.flatMap((count, device) => {
            const used = count > 8 && count % 8 <= 4 ? count - (count % 8) : count;
            return Array.from({ length: used }, () => device);
          });
          expect(taken.map((row) => Math.floor(row / 24))).toEqual(own);
          expect(new Set(taken).size).toBe(taken.length);
          taken.forEach((row) => {
            expect(row % 24).toBeLessThan(ownRows[Math.floor(row / 24)]!);
          });
        },
      ),
    );
  });
});

describe('training in one graph', () => {
  it.each([
    ['a small network', OPTIONS],
    ['the product’s network', { ...OPTIONS, shape: SHAPE, batchSize: 32, rows: 80 }],
    ['the proximal term', { ...OPTIONS, proximal: 0.3 }],
  ])('agrees with the plain reference within 1e-4: %s', async (_, options) => {
    const chunk = randomChunk(options.shape, options.rows, [options.rows, 13, 1, 0, 29], 3);
    const base = initialWeights(options.shape, 5);
    const trained = await train(options, chunk, base, seededRandom(9));
    expect(largestDifference(trained, referenceTrain(options, chunk, base, seededRandom(9)))).toBeLessThan(
      1e-4,
    );
    expect(largestDifference(trained.subarray(0, base.length), base)).toBeGreaterThan(0.01);
  });

  it.each([
    ['alone', { ...OPTIONS, rows: 8, corrected: true }],
    ['beside the proximal term', { ...OPTIONS, rows: 8, corrected: true, proximal: 0.3 }],
  ])('adds a device’s own correction to each of its gradients, %s', async (_, options) => {
    // Of one batch a device, so that the order of its rows does not count: pieces draw in another order than the reference.
    const devices = DEVICES_PER_TRAINING_RUN + 2;
    const rows = Array.from({ length: devices }, (_row, device) => [options.rows, 5, 0][device % 3]!);
    const chunk = randomChunk(options.shape, options.rows, rows, 3);
    const base = initialWeights(options.shape, 5);
    const random = seededRandom(4);
    const corrections = Float32Array.from({ length: devices * base.length }, () => 0.5 * random.normal());
    const trained = await train(options, chunk, base, seededRandom(9), corrections);
    const reference = referenceTrain(options, chunk, base, seededRandom(9), corrections);
    expect(largestDifference(trained, reference)).toBeLessThan(1e-4);
    const uncorrected = await train({ ...options, corrected: false }, chunk, base, seededRandom(9));
    expect(largestDifference(trained, uncorrected)).toBeGreaterThan(0.05);
    // The third device has no rows.
    expect(trained.subarray(2 * base.length, 3 * base.length)).toEqual(base);
    expect(await train(options, chunk, base, seededRandom(9))).toEqual(uncorrected);
  });

  it('goes down the gradient that finite differences of the loss give', async () => {
    const rows = 24;
    const chunk = randomChunk(SMALL, rows, [rows], 12);
    const base = initialWeights(SMALL, 5);
    const options = { ...OPTIONS, rows, batchSize: rows, epochs: 1, learningRate: 1 };
    const moved = await train(options, chunk, base, seededRandom(1));
    const batch = { rows, x: chunk.x, y: chunk.y, sampleWeights: chunk.sampleWeights };
    const slopes = slopesOf(SMALL, base, batch, OPTIONS.residualClip);
    const gradient = base.map((weight, at) => weight - moved[at]!);
    expect(largestDifference(gradient, slopes)).toBeLessThan(1e-4);
    expect(Math.max(...slopes.map(Math.abs))).toBeGreaterThan(0.1);
  });

  it('starts each device from weights of its own when given', async () => {
    const chunk = randomChunk(SMALL, OPTIONS.rows, [30, 30, 30], 4);
    const base = Float32Array.from([1, 2, 3].flatMap((seed) => [...initialWeights(SMALL, seed)]));
    for (const options of [OPTIONS, { ...OPTIONS, proximal: 0.5 }]) {
      const trained = await train(options, chunk, base, seededRandom(1));
      expect(largestDifference(trained, referenceTrain(options, chunk, base, seededRandom(1)))).toBeLessThan(
        1e-4,
      );
    }
  });

  it('leaves a device without rows as it was', async () => {
    const base = initialWeights(SMALL, 5);
    const chunk = randomChunk(SMALL, OPTIONS.rows, [0, 30], 6);
    const trained = await train({ ...OPTIONS, proximal: 0.5 }, chunk, base, seededRandom(1));
    expect(trained.subarray(0, base.length)).toEqual(base);
  });

  it('trains a device with padding as it would without', async () => {
    const own = 20;
    const padded = randomChunk(SMALL, OPTIONS.rows, [own], 7);
    const bare: TrainingChunk = {
      devices: 1,
      x: padded.x.slice(0, own * SMALL.inputs),
      y: padded.y.slice(0, own),
      sampleWeights: padded.sampleWeights.slice(0, own),
    };
    const base = initialWeights(SMALL, 5);
    const one = await train(OPTIONS, padded, base, seededRandom(2));
    const other = await train({ ...OPTIONS, rows: own }, bare, base, seededRandom(2));
    expect(largestDifference(one, other)).toBeLessThan(1e-6);
  });

  it('serves chunks of any size with one trainer, and repeats itself for a seed', async () => {
    const trainer = await BatchTrainer.create({ ...OPTIONS, rows: 8, epochs: 1, threads: 2 });
    const base = initialWeights(SMALL, 5);
    for (const devices of [1, 3, DEVICES_PER_TRAINING_RUN + 1]) {
      const chunk = randomChunk(SMALL, 8, new Array<number>(devices).fill(8), 8);
      const first = await trainer.train(chunk, base, seededRandom(3));
      expect(first).toHaveLength(devices * parameterCount(SMALL));
      expect(await trainer.train(chunk, base, seededRandom(3))).toEqual(first);
      expect(await trainer.train(chunk, base, seededRandom(4))).not.toEqual(first);
    }
    await trainer.release();
  });

  it('learns: the loss of a linear rule falls by more than half', async () => {
    const rows = 256;
    const chunk = randomChunk(SMALL, rows, [rows], 9);
    const rule = chunk.y.map(
      (_, row) => chunk.x[row * SMALL.inputs]! - 0.5 * chunk.x[row * SMALL.inputs + 1]!,
    );
    const base = initialWeights(SMALL, 5);
    const options = { ...OPTIONS, rows, epochs: 5 };
    const trained = await train(options, { ...chunk, y: rule }, base, seededRandom(1));
    const batch = { rows, x: chunk.x, y: rule, sampleWeights: chunk.sampleWeights };
    expect(loss(SMALL, trained, batch, 2)).toBeLessThan(0.5 * loss(SMALL, base, batch, 2));
  });

  it('refuses arrays of the wrong size', async () => {
    const chunk = randomChunk(SMALL, OPTIONS.rows, [30], 1);
    const base = initialWeights(SMALL, 5);
    await expect(train({ ...OPTIONS, rows: 31 }, chunk, base, seededRandom(1))).rejects.toThrow(
      /another size/,
    );
    await expect(train(OPTIONS, chunk, base.subarray(1), seededRandom(1))).rejects.toThrow(/another size/);
  });
});
