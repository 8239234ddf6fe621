import { type InferenceSession, type Tensor } from 'onnxruntime-node';
import { FedloopError } from '../contracts/errors';
import {
  ACTIVATIONS_PER_RUN,
  MODELS_PER_COUNT,
  MODELS_PER_TILE,
  SAMPLES_PER_COUNT,
  SAMPLES_PER_TILE,
} from './limits';
import { countingGraph, forwardGraph, versionsGraph } from './prediction-graphs';
import { floatData, floats, openSession } from './session';
import { parameterCount, type FlatWeights, type GlobalModel, type NetworkShape } from './types';

export interface PredictorOptions {
  readonly shape: NetworkShape;
  /** Threads of one run; 0 = one a core. */
  readonly threads: number;
}

/** Samples that models are counted on. */
export interface SampleGroups {
  /** Scaled features [S, inputs]. */
  readonly x: Float32Array;
  /** Actual changes in units of tolerance [S]. */
  readonly actual: Float32Array;
  /** 1 where a sample belongs to a group, else 0 [S, G]. */
  readonly groups: Float32Array;
}

/** A network's shape, and the session that runs its graph. */
class Predictor {
  protected constructor(
    protected readonly shape: NetworkShape,
    protected readonly session: InferenceSession,
  ) {}

  async release(): Promise<void> {
    await this.session.release();
  }
}

/**
 * Every one of M models on the same S samples: local models on a panel. Computed in tiles of models × samples, so that
 * memory beside inputs and result is bounded and each run is over in some milliseconds.
 */
export class ModelsOnSamples {
  private constructor(
    private readonly shape: NetworkShape,
    private readonly session: InferenceSession,
    private readonly counting: InferenceSession,
  ) {}

  static async create({ shape, threads }: PredictorOptions): Promise<ModelsOnSamples> {
    return new ModelsOnSamples(
      shape,
      await openSession(forwardGraph(shape, 'shared'), threads),
      await openSession(countingGraph(shape), threads),
    );
  }

  /**
   * Outputs [M, S] in units of tolerance, for weights [M, P] and scaled features x [S, inputs].
   * @throws FedloopError `InvalidData` when an array holds no whole number of rows.
   */
  async predict(weights: Float32Array, x: Float32Array): Promise<Float32Array> {
    const parameters = parameterCount(this.shape);
    const models = rowsIn(weights, parameters, 'weights');
    const samples = rowsIn(x, this.shape.inputs, 'features');
    const outputs = new Float32Array(models * samples);
    for (const [firstSample, untilSample] of pieces(samples, SAMPLES_PER_TILE)) {
      const tile = rowTensor(x, this.shape.inputs, firstSample, untilSample);
      for (const [firstModel, untilModel] of pieces(models, MODELS_PER_TILE)) {
        const run = await this.session.run({
          weights: rowTensor(weights, parameters, firstModel, untilModel),
          x: tile,
        });
        const result = floatData(run['outputs']);
        const width = untilSample - firstSample;
        for (let model = firstModel; model < untilModel; model += 1) {
          const at = (model - firstModel) * width;
          outputs.set(result.subarray(at, at + width), model * samples + firstSample);
        }
      }
    }
    return outputs;
  }

  /**
   * How many samples each model, base [P] + its row of deltas [M, P], gets right: counts [M, G] of |output − actual| ≤ 1 by group.
   * @throws FedloopError `InvalidData` when an array holds no whole number of rows.
   */
  async countCorrect(base: FlatWeights, deltas: Float32Array, samples: SampleGroups): Promise<Float64Array> {
    const { x, actual, groups } = samples;
    const { inputs } = this.shape;
    const parameters = parameterCount(this.shape);
    const models = rowsIn(deltas, parameters, 'weights');
    const count = rowsIn(x, inputs, 'features');
    const width = count === 0 ? 0 : groups.length / count;
    const counts = new Float64Array(models * width);
    const weights = sumsWith(base, deltas);
    for (const [first, until] of pieces(count, SAMPLES_PER_COUNT)) {
      const tile = {
        x: rowTensor(withOnes(rowsOf(x, inputs, first, until), inputs), inputs + 1),
        actual: floats(actual.subarray(first, until), until - first),
        groups: rowTensor(groups, width, first, until),
      };
      for (const [firstModel, untilModel] of pieces(models, MODELS_PER_COUNT)) {
        const { counts: found } = await this.counting.run({
          ...tile,
          weights: rowTensor(weights, parameters, firstModel, untilModel),
        });
        floatData(found).forEach((value, at) => {
          const place = firstModel * width + at;
          counts[place] = (counts[place] ?? NaN) + value;
        });
      }
    }
    return counts;
  }
}

/** Each of D models on n samples of its own: what local models report of themselves, and the incoming model's losses. */
export class OwnSamplesPredictor extends Predictor {
  static async create({ shape, threads }: PredictorOptions): Promise<OwnSamplesPredictor> {
    return new OwnSamplesPredictor(shape, await openSession(forwardGraph(shape, 'own'), threads));
  }

  /**
   * Outputs [D, rows] in units of tolerance, for scaled features x [D, rows, inputs] and weights [D, P], or [P] for one
   * model on everybody's samples. Memory beside inputs and result is bounded.
   * @throws FedloopError `InvalidData` when the sizes do not fit together.
   */
  async predict(weights: Float32Array, x: Float32Array, rows: number): Promise<Float32Array> {
    const { inputs, hidden } = this.shape;
    const parameters = parameterCount(this.shape);
    const devices = rowsIn(x, rows * inputs, 'features');
    const models = rowsIn(weights, parameters, 'weights');
    if (models !== devices && models !== 1) {
      throw new FedloopError('InvalidData', `${models} models do not fit the samples of ${devices} devices`);
    }
    const outputs = new Float32Array(devices * rows);
    const perRun = Math.max(1, Math.floor(ACTIVATIONS_PER_RUN / (rows * hidden)));
    for (const [first, until] of pieces(devices, perRun)) {
      const result = await this.session.run({
        weights: models === 1 ? rowTensor(weights, parameters) : rowTensor(weights, parameters, first, until),
        x: floats(rowsOf(x, rows * inputs, first, until), until - first, rows, inputs),
      });
      outputs.set(floatData(result['outputs']), first * rows);
    }
    return outputs;
  }
}

/**
 * Forecasts of several versions for the same devices: all in one run (of up to some thousand devices). Versions may come
 * and go between calls; they need one shape, and each brings its own scaling and tolerance.
 */
export class VersionPredictor extends Predictor {
  static async create({ shape, threads }: PredictorOptions): Promise<VersionPredictor> {
    return new VersionPredictor(shape, await openSession(versionsGraph(shape), threads));
  }

  /**
   * Forecast changes in the target's unit [V, S] for raw features [S, inputs], NaN where missing.
   * @throws FedloopError `InvalidModel` for a version of another shape, `InvalidData` for features that are no whole number of rows.
   */
  async predict(versions: readonly GlobalModel[], features: Float32Array): Promise<Float32Array> {
    const { inputs, hidden } = this.shape;
    const samples = rowsIn(features, inputs, 'features');
    const changes = new Float32Array(versions.length * samples);
    if (changes.length === 0) return changes;
    const fixed = this.feedsOf(versions);
    const perRun = Math.max(1, Math.floor(ACTIVATIONS_PER_RUN / (versions.length * hidden)));
    for (const [first, until] of pieces(samples, perRun)) {
      const run = await this.session.run({ ...fixed, features: rowTensor(features, inputs, first, until) });
      const result = floatData(run['change']);
      const width = until - first;
      for (let version = 0; version < versions.length; version += 1) {
        changes.set(result.subarray(version * width, (version + 1) * width), version * samples + first);
      }
    }
    return changes;
  }

  private feedsOf(versions: readonly GlobalModel[]): InferenceSession.FeedsType {
    const { inputs, hidden } = this.shape;
    for (const { metadata } of versions) {
      if (metadata.shape.inputs !== inputs || metadata.shape.hidden !== hidden) {
        throw new FedloopError(
          'InvalidModel',
          `${metadata.version} has ${metadata.shape.inputs} inputs and ${metadata.shape.hidden} hidden units, ` +
            `not ${inputs} and ${hidden}`,
        );
      }
    }
    /** [V, …dims] of what each version has. */
    const stack = (dims: readonly number[], rowOf: (model: GlobalModel) => ArrayLike<number>): Tensor => {
      const width = dims.reduce((product, dim) => product * dim, 1);
      const rows = new Float32Array(versions.length * width);
      versions.forEach((model, at) => {
        rows.set(rowOf(model), at * width);
      });
      return floats(rows, versions.length, ...dims);
    };
    return {
      weights: stack([parameterCount(this.shape)], ({ weights }) => weights),
      mean: stack([1, inputs], ({ metadata }) => metadata.scaling.mean),
      scale: stack([1, inputs], ({ metadata }) => metadata.scaling.scale),
      tolerance: stack([1, 1], ({ metadata }) => [metadata.tolerance]),
    };
  }
}

/** @throws FedloopError `InvalidData` when the values are no whole number of rows. */
export function rowsIn(values: Float32Array, width: number, what: string): number {
  const rows = values.length / width;
  if (Number.isInteger(rows)) return rows;
  throw new FedloopError('InvalidData', `${values.length} numbers are no ${what} in rows of ${width}`);
}

function rowsOf(values: Float32Array, width: number, first: number, until: number): Float32Array {
  return values.subarray(first * width, until * width);
}

/** base [P] + each row of deltas [M, P], in single precision. */
function sumsWith(base: FlatWeights, deltas: Float32Array): Float32Array {
  const sums = new Float32Array(deltas.length);
  let parameter = 0;
  for (let at = 0; at < deltas.length; at += 1) {
    sums[at] = (base[parameter] ?? NaN) + (deltas[at] ?? NaN);
    parameter = parameter + 1 === base.length ? 0 : parameter + 1;
  }
  return sums;
}

/** Rows of `width` numbers with a 1 after each. */
function withOnes(rows: Float32Array, width: number): Float32Array {
  const count = rows.length / width;
  const wider = new Float32Array(count * (width + 1)).fill(1);
  for (let row = 0; row < count; row += 1)
    wider.set(rows.subarray(row * width, (row + 1) * width), row * (width + 1));
  return wider;
}

/** Rows `first` up to (not with) `until`, or all of them, of `width` numbers each. */
function rowTensor(values: Float32Array, width: number, first = 0, until = values.length / width): Tensor {
  return floats(rowsOf(values, width, first, until), until - first, width);
}

/** Bounds of pieces of at most `size` out of `count`. */
function* pieces(count: number, size: number): Generator<readonly [first: number, until: number]> {
  for (let first = 0; first < count; first += size) yield [first, Math.min(first + size, count)];
}
