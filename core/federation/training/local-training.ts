import { type TrainingSettings } from '../../contracts/rounds';
import { type UpdateHeader } from '../../contracts/updates';
import { OwnSamplesPredictor } from '../../model/batch-predictor';
import { BatchTrainer } from '../../model/batch-trainer';
import { type FlatWeights, type NetworkShape } from '../../model/types';
import { type Random } from '../../platform/random';
import { RESIDUAL_CLIP } from '../constants';
import { applyBoundaryWeights } from './boundary-weighting';
import { isCorrect } from './samples';
import { type TrainingRows } from './training-rows';
import { isFiniteVector } from '../vectors';

export interface LocalTrainerOptions {
  readonly shape: NetworkShape;
  readonly settings: TrainingSettings;
  /** μ of FedProx; 0 = none. */
  readonly proximal: number;
  /** Whether gradients are corrected, as SCAFFOLD does; left out: not. */
  readonly corrected?: boolean;
  /** Threads of one run; 0 = one a core. */
  readonly threads: number;
}

export interface LocalTrainingOptions {
  /** Incoming global weights [P]. */
  readonly base: FlatWeights;
  /** Width of the band around the boundary in tolerances; null = all samples count alike. */
  readonly boundaryWidth: number | null;
  readonly random: Random;
  /** What is added to every gradient, row by row as the devices that train are listed [devices, P]; left out: nothing. */
  readonly corrections?: Float32Array;
}

/** A chunk's updates, in the shapes of `model-updates`. */
export interface LocalTraining {
  readonly devices: UpdateHeader['devices'];
  readonly leftOut: UpdateHeader['left_out'];
  /** Local − incoming weights, row by row as in `devices`: [devices, P]. */
  readonly deltas: Float32Array;
}

/** Trains local models from a site's ring; one for all chunks of a round. */
export class LocalTrainer {
  private constructor(
    private readonly windows: number,
    private readonly trainer: BatchTrainer,
    private readonly predictor: OwnSamplesPredictor,
  ) {}

  static async create({
    shape,
    settings,
    proximal,
    corrected = false,
    threads,
  }: LocalTrainerOptions): Promise<LocalTrainer> {
    const common = {
      shape,
      proximal,
      corrected,
      threads,
      rows: settings.windows,
      residualClip: RESIDUAL_CLIP,
    };
    const trainer = await BatchTrainer.create({ ...settings, ...common });
    return new LocalTrainer(settings.windows, trainer, await OwnSamplesPredictor.create({ shape, threads }));
  }

  /**
   * Train a chunk's devices from `base` on rows of as many windows as the settings say; they are left as they are. Devices whose training
   * ends in weights that are not finite are left out as well. The same rows, base and state of `random` give the same updates.
   */
  async train(
    prepared: TrainingRows,
    { base, boundaryWidth, random, corrections }: LocalTrainingOptions,
  ): Promise<LocalTraining> {
    const { deviceIds, x, y, isSample, rows } = prepared;
    const devices = deviceIds.length;
    if (devices === 0) return { devices: [], leftOut: prepared.leftOut, deltas: new Float32Array(0) };
    const sampleWeights = isSample.slice();
    const before = errorsOf(await this.predictor.predict(base, x, this.windows), y);
    if (boundaryWidth !== null) {
      for (let device = 0; device < devices; device += 1) {
        applyBoundaryWeights(sampleWeights, before, device * this.windows, this.windows, boundaryWidth);
      }
    }
    const trained = await this.trainer.train({ devices, x, y, sampleWeights }, base, random, corrections);
    const after = errorsOf(await this.predictor.predict(trained, x, this.windows), y);
    const parameters = base.length;
    const deltas = new Float32Array(devices * parameters);
    const reported: UpdateHeader['devices'] = [];
    const leftOut = [...prepared.leftOut];
    deviceIds.forEach((deviceId, device) => {
      const weights = trained.subarray(device * parameters, (device + 1) * parameters);
      if (!isFiniteVector(weights)) {
        leftOut.push({ device_id: deviceId, reason: 'not-finite' });
        return;
      }
      const at = reported.length * parameters;
      weights.forEach((weight, parameter) => (deltas[at + parameter] = weight - (base[parameter] ?? NaN)));
      const own = summarise(after, isSample, device * this.windows, this.windows);
      reported.push({
        device_id: deviceId,
        rows: rows[device] ?? 0,
        self_reported_accuracy: own.accuracy,
        self_reported_loss: own.loss,
        base_loss: summarise(before, isSample, device * this.windows, this.windows).loss,
      });
    });
    return { devices: reported, leftOut, deltas: deltas.subarray(0, reported.length * parameters) };
  }

  async release(): Promise<void> {
    await this.trainer.release();
    await this.predictor.release();
  }
}

/** Outputs − actual changes, in place. */
function errorsOf(outputs: Float32Array, actual: Float32Array): Float32Array {
  for (let at = 0; at < outputs.length; at += 1) outputs[at] = (outputs[at] ?? NaN) - (actual[at] ?? NaN);
  return outputs;
}

/** Share within the tolerance and mean loss (e² up to the clip, linear beyond: as in training) of one device's samples. */
function summarise(
  errors: Float32Array,
  isSample: Float32Array,
  from: number,
  rows: number,
): { accuracy: number; loss: number } {
  let samples = 0;
  let correct = 0;
  let loss = 0;
  for (let at = from; at < from + rows; at += 1) {
    if (isSample[at] === 0) continue;
    const error = Math.abs(errors[at] ?? NaN);
    samples += 1;
    correct += isCorrect(error);
    loss +=
      error <= RESIDUAL_CLIP ? error * error : 2 * RESIDUAL_CLIP * error - RESIDUAL_CLIP * RESIDUAL_CLIP;
  }
  return { accuracy: correct / samples, loss: loss / samples };
}
