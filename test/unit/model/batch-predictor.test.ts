import { hiddenActivations } from '../../../core/model/hidden-activations';
import fc from 'fast-check';
import { versionIdSchema } from '../../../core/contracts/ids';
import { ModelsOnSamples, OwnSamplesPredictor, VersionPredictor } from '../../../core/model/batch-predictor';
import { scaleFeatures } from '../../../core/model/features';
import {
  ACTIVATIONS_PER_RUN,
  MODELS_PER_COUNT,
  MODELS_PER_TILE,
  SAMPLES_PER_COUNT,
  SAMPLES_PER_TILE,
} from '../../../core/model/limits';
import { forward } from '../../../bench/support/reference-network';
import { initialWeights } from '../../../core/model/network';
import { parameterCount, type GlobalModel } from '../../../core/model/types';
import { seededRandom } from '../../../core/platform/random';
import { gaussians, largestDifference, pattern, SMALL } from './fixtures';
import { SHAPE } from '../../support/task';

const random = seededRandom(11, 'predictor');

function manyModels(count: number): Float32Array {
  return gaussians(count * parameterCount(SMALL), random);
}

function modelAt(weights: Float32Array, model: number): Float32Array {
  return weights.subarray(model * parameterCount(SMALL), (model + 1) * parameterCount(SMALL));
}

describe('many models on the same samples', () => {
  it('gives each model’s outputs in its own row, over the bounds of tiles', async () => {
    const models = MODELS_PER_TILE + 2;
    const samples = SAMPLES_PER_TILE + 3;
    const weights = manyModels(models);
    const x = gaussians(samples * SMALL.inputs, random);
    const predictor = await ModelsOnSamples.create({ shape: SMALL, threads: 2 });
    const outputs = await predictor.predict(weights, x);
    expect(outputs).toHaveLength(models * samples);
    for (const model of [0, 1, MODELS_PER_TILE - 1, MODELS_PER_TILE, models - 1]) {
      const expected = forward(SMALL, modelAt(weights, model), x, samples);
      expect(
        largestDifference(outputs.subarray(model * samples, (model + 1) * samples), expected),
      ).toBeLessThan(1e-4);
    }
  });

  it('counts by group what each model gets right, over the bounds of tiles', async () => {
    const models = MODELS_PER_COUNT + 2;
    const samples = SAMPLES_PER_COUNT + 3;
    const base = modelAt(manyModels(1), 0);
    const deltas = manyModels(models);
    const x = gaussians(samples * SMALL.inputs, random);
    // A sensor's gap is nobody's success.
    const actual = gaussians(samples, random).fill(NaN, 7, 8);
    const groups = Float32Array.from({ length: 2 * samples }, (_, at) =>
      at % 2 === 0 || at % 3 === 0 ? 1 : 0,
    );
    const predictor = await ModelsOnSamples.create({ shape: SMALL, threads: 2 });
    const counts = await predictor.countCorrect(base, deltas, { x, actual, groups });
    expect(counts).toHaveLength(2 * models);
    for (let model = 0; model < models; model += 1) {
      const weights = modelAt(deltas, model).map((delta, at) => delta + base[at]!);
      const errors = forward(SMALL, weights, x, samples).map((output, at) => Math.abs(output - actual[at]!));
      // One that lies on the edge may fall on either side, by the order in which floats are added.
      const onEdge = errors.filter((error) => Math.abs(error - 1) < 1e-4).length;
      for (const group of [0, 1]) {
        const expected = errors.filter((error, at) => error <= 1 && groups[2 * at + group] === 1).length;
        expect(Math.abs(counts[2 * model + group]! - expected)).toBeLessThanOrEqual(onEdge);
      }
    }
  });

  it('gives nothing for no models or no samples', async () => {
    const predictor = await ModelsOnSamples.create({ shape: SMALL, threads: 1 });
    expect(await predictor.predict(new Float32Array(), gaussians(SMALL.inputs, random))).toHaveLength(0);
    expect(await predictor.predict(manyModels(2), new Float32Array())).toHaveLength(0);
    await expect(predictor.predict(new Float32Array(3), new Float32Array())).rejects.toThrow(/no weights/);
    const nothing = { x: new Float32Array(), actual: new Float32Array(), groups: new Float32Array() };
    expect(await predictor.countCorrect(modelAt(manyModels(1), 0), manyModels(2), nothing)).toHaveLength(0);
  });
});

describe('models on samples of their own', () => {
  it('agrees with the reference, device by device', async () => {
    const devices = 5;
    const rows = 9;
    const weights = manyModels(devices);
    const x = gaussians(devices * rows * SMALL.inputs, random);
    const predictor = await OwnSamplesPredictor.create({ shape: SMALL, threads: 1 });
    const outputs = await predictor.predict(weights, x, rows);
    const shared = await predictor.predict(modelAt(weights, 2), x, rows);
    for (let device = 0; device < devices; device += 1) {
      const own = x.subarray(device * rows * SMALL.inputs, (device + 1) * rows * SMALL.inputs);
      const at = [device * rows, (device + 1) * rows] as const;
      const expected = forward(SMALL, modelAt(weights, device), own, rows);
      expect(largestDifference(outputs.subarray(...at), expected)).toBeLessThan(1e-4);
      const common = forward(SMALL, modelAt(weights, 2), own, rows);
      expect(largestDifference(shared.subarray(...at), common)).toBeLessThan(1e-4);
    }
    await expect(predictor.predict(manyModels(2), x, rows)).rejects.toThrow(/do not fit/);
    await predictor.release();
  });

  it('splits what is too much for one run', async () => {
    const rows = Math.floor(ACTIVATIONS_PER_RUN / SMALL.hidden / 2);
    const x = pattern(3 * rows * SMALL.inputs);
    const weights = manyModels(3);
    const predictor = await OwnSamplesPredictor.create({ shape: SMALL, threads: 2 });
    const outputs = await predictor.predict(weights, x, rows);
    await predictor.release();
    const last = x.subarray((3 * rows - 5) * SMALL.inputs);
    expect(outputs).toHaveLength(3 * rows);
    expect(
      largestDifference(outputs.subarray(-5), forward(SMALL, modelAt(weights, 2), last, 5)),
    ).toBeLessThan(1e-4);
  });
});

describe('several versions for the same devices', () => {
  const { inputs } = SHAPE;
  const version = (number: number): GlobalModel => ({
    metadata: {
      version: versionIdSchema.parse(`v${number}`),
      shape: SHAPE,
      scaling: {
        mean: Array.from({ length: inputs }, () => random.normal()),
        scale: Array.from({ length: inputs }, () => 0.5 + random.uniform()),
      },
      tolerance: 0.5 + random.uniform(),
      residualStddev: null,
    },
    weights: initialWeights(SHAPE, number),
  });

  it('forecasts in the target’s unit with each version’s own scaling and tolerance, whatever is missing', async () => {
    const predictor = await VersionPredictor.create({ shape: SHAPE, threads: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(
          fc.array(fc.oneof(fc.float({ min: -50, max: 50, noNaN: true }), fc.constant(NaN)), {
            minLength: inputs,
            maxLength: inputs,
          }),
          { maxLength: 8 },
        ),
        async (count, rows) => {
          const versions = Array.from({ length: count }, (_, number) => version(number));
          const features = Float32Array.from(rows.flat());
          const changes = await predictor.predict(versions, features);
          expect(changes).toHaveLength(count * rows.length);
          versions.forEach(({ metadata, weights }, at) => {
            const scaled = features.slice();
            scaleFeatures(scaled, rows.length, metadata.scaling);
            const expected = forward(SHAPE, weights, scaled, rows.length).map(
              (output) => output * metadata.tolerance,
            );
            const own = changes.subarray(at * rows.length, (at + 1) * rows.length);
            expect(largestDifference(own, expected)).toBeLessThan(1e-4);
          });
        },
      ),
      { numRuns: 30 },
    );
    await predictor.release();
  });

  it('gives the same forecasts however many devices are asked for at once', async () => {
    const predictor = await VersionPredictor.create({ shape: SHAPE, threads: 2 });
    const versions = [version(1), version(2)];
    const samples = ACTIVATIONS_PER_RUN / (versions.length * SHAPE.hidden) + 10;
    const features = pattern(samples * inputs);
    const changes = await predictor.predict(versions, features);
    const tail = await predictor.predict(versions, features.subarray((samples - 20) * inputs));
    expect(largestDifference(changes.subarray(samples - 20, samples), tail.subarray(0, 20))).toBeLessThan(
      1e-5,
    );
    expect(largestDifference(changes.subarray(2 * samples - 20), tail.subarray(20))).toBeLessThan(1e-5);
    expect(await predictor.predict([], features)).toHaveLength(0);
    await predictor.release();
  });

  it('refuses a version of another shape', async () => {
    const predictor = await VersionPredictor.create({ shape: SMALL, threads: 1 });
    await expect(predictor.predict([version(1)], new Float32Array(SMALL.inputs))).rejects.toThrow(
      /v1 has 29 inputs/,
    );
    await predictor.release();
  });
});

describe('hidden activations', () => {
  it('give the output with the output layer', () => {
    const weights = gaussians(parameterCount(SMALL), random);
    const x = gaussians(10 * SMALL.inputs, random);
    const activations = hiddenActivations(SMALL, weights, x);
    const w2 = SMALL.inputs * SMALL.hidden + SMALL.hidden;
    const outputs = Array.from({ length: 10 }, (_, row) => {
      let output = weights.at(-1)!;
      for (let unit = 0; unit < SMALL.hidden; unit += 1)
        output += activations[row * SMALL.hidden + unit]! * weights[w2 + unit]!;
      return output;
    });
    expect(largestDifference(outputs, forward(SMALL, weights, x, 10))).toBeLessThan(1e-5);
    expect(activations.every((value) => value >= 0)).toBe(true);
  });
});
