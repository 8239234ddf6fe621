import { type InferenceSession } from 'onnxruntime-node';
import { FedloopError } from '../contracts/errors';
import { type Random } from '../platform/random';
import { planEpoch, stepsOfEpoch, type EpochPlan, type TrainingChunk } from './epoch-plan';
import { DEVICES_PER_TRAINING_RUN } from './limits';
import { floats, int32s, openSession } from './session';
import { trainingGraph } from './training-graph';
import { parameterCount, type FlatWeights, type NetworkShape } from './types';

export interface TrainerOptions {
  readonly shape: NetworkShape;
  readonly batchSize: number;
  /** Rows of every device, padding included. */
  readonly rows: number;
  readonly epochs: number;
  readonly learningRate: number;
  /** Residuals are clipped at ± this (in tolerances), so that a broken reading cannot decide a step. */
  readonly residualClip: number;
  /** μ of FedProx: pulls each local model towards the weights it started from. */
  readonly proximal?: number;
  /** Whether gradients are corrected, as SCAFFOLD does; left out: not. */
  readonly corrected?: boolean;
  /** Threads of one run; 0 = one a core. */
  readonly threads: number;
}

/**
 * Trains many devices' networks at once: one ONNX graph holds the steps of an epoch for a stack of devices.
 * The graph knows no number of devices, so one trainer serves chunks of any size; it runs them in short pieces, between
 * which the event loop is free. Memory beside the chunk itself is bounded by the piece, not by the chunk.
 */
export class BatchTrainer {
  private constructor(
    private readonly options: TrainerOptions,
    private readonly session: InferenceSession,
  ) {}

  static async create(options: TrainerOptions): Promise<BatchTrainer> {
    const { shape, batchSize, rows, residualClip, proximal = 0, corrected = false } = options;
    const graph = trainingGraph({
      shape,
      batchSize,
      steps: stepsOfEpoch(rows, batchSize),
      residualClip,
      proximal: proximal > 0,
      corrected,
    });
    return new BatchTrainer(options, await openSession(graph, options.threads));
  }

  /**
   * Weights [devices, P] after the epochs, from `base`: [P] the same for all, or [devices, P].
   * The same chunk, base and state of `random` give the same weights.
   * @param corrections what is added to every gradient [devices, P], of a trainer that corrects them; left out: nothing
   * @throws FedloopError `InvalidData` when an array does not have the size that the options say.
   */
  async train(
    chunk: TrainingChunk,
    base: FlatWeights,
    random: Random,
    corrections?: Float32Array,
  ): Promise<Float32Array> {
    this.assertSizes(chunk, base);
    const { shape, rows } = this.options;
    const parameters = parameterCount(shape);
    const added = corrections ?? new Float32Array(chunk.devices * parameters);
    const trained = new Float32Array(chunk.devices * parameters);
    for (let first = 0; first < chunk.devices; first += DEVICES_PER_TRAINING_RUN) {
      const until = Math.min(first + DEVICES_PER_TRAINING_RUN, chunk.devices);
      const piece: TrainingChunk = {
        devices: until - first,
        x: chunk.x.subarray(first * rows * shape.inputs, until * rows * shape.inputs),
        y: chunk.y.subarray(first * rows, until * rows),
        sampleWeights: chunk.sampleWeights.subarray(first * rows, until * rows),
      };
      const start =
        base.length === parameters
          ? repeat(base, piece.devices)
          : base.subarray(first * parameters, until * parameters);
      const own = (of: Float32Array): Float32Array => of.subarray(first * parameters, until * parameters);
      await this.trainPiece({ ...piece, corrections: own(added) }, start, random, own(trained));
    }
    return trained;
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  /** Train one piece from `base`, leaving the weights in `trained`. */
  private async trainPiece(
    chunk: TrainingChunk & { readonly corrections: Float32Array },
    base: Float32Array,
    random: Random,
    trained: Float32Array,
  ): Promise<void> {
    const { shape, rows, batchSize, epochs } = this.options;
    const { devices } = chunk;
    const parameters = parameterCount(shape);
    const steps = stepsOfEpoch(rows, batchSize);
    const x = floats(chunk.x, devices * rows, shape.inputs);
    trained.set(base);
    const weights = floats(trained, devices, parameters);
    for (let epoch = 0; epoch < epochs; epoch += 1) {
      const plan = planEpoch(chunk, this.options, random);
      const feeds = {
        x,
        weights,
        row: int32s(plan.row, steps, devices, batchSize),
        target: floats(plan.target, steps, devices, batchSize, 1),
        step_size: floats(plan.stepSize, steps, devices, batchSize, 1),
        ...this.proximalFeeds(base, plan, devices),
        ...this.correctionFeeds(chunk.corrections, plan, devices),
      };
      // The graph takes its input apart before anything else and puts its output together last, so one array can be both.
      await this.session.run(feeds, { trained: weights });
    }
  }

  private proximalFeeds(base: Float32Array, plan: EpochPlan, devices: number): InferenceSession.FeedsType {
    const { proximal = 0, learningRate, shape } = this.options;
    if (proximal === 0) return {};
    return {
      base: floats(base, devices, parameterCount(shape)),
      pull: this.byStep(plan, devices, learningRate * proximal),
    };
  }

  private correctionFeeds(
    corrections: Float32Array,
    plan: EpochPlan,
    devices: number,
  ): InferenceSession.FeedsType {
    const { corrected = false, learningRate, shape } = this.options;
    if (!corrected) return {};
    return {
      correction: floats(corrections, devices, parameterCount(shape)),
      correction_step: this.byStep(plan, devices, learningRate),
    };
  }

  /** A factor in each step of each device; 0 where a device has no rows in a step, in which its first place has step size 0. */
  private byStep(plan: EpochPlan, devices: number, factor: number): ReturnType<typeof floats> {
    const { batchSize, rows } = this.options;
    const steps = stepsOfEpoch(rows, batchSize);
    const factors = Float32Array.from({ length: steps * devices }, (_, at) =>
      plan.stepSize[at * batchSize] === 0 ? 0 : factor,
    );
    return floats(factors, steps, devices, 1, 1);
  }

  private assertSizes({ devices, x, y, sampleWeights }: TrainingChunk, base: FlatWeights): void {
    const { shape, rows } = this.options;
    const parameters = parameterCount(shape);
    const samples = devices * rows;
    const fits =
      x.length === samples * shape.inputs &&
      y.length === samples &&
      sampleWeights.length === samples &&
      (base.length === parameters || base.length === devices * parameters);
    if (!fits) {
      throw new FedloopError(
        'InvalidData',
        `training ${devices} devices of ${rows} rows got arrays of another size: ` +
          `x ${x.length}, y ${y.length}, sample weights ${sampleWeights.length}, base ${base.length}`,
      );
    }
  }
}

function repeat(row: Float32Array, times: number): Float32Array {
  const rows = new Float32Array(row.length * times);
  for (let time = 0; time < times; time += 1) rows.set(row, time * row.length);
  return rows;
}
