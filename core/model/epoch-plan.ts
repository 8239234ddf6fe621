import { type Random } from '../platform/random';

/** Training rows of some devices, all with the same number of rows; what a device lacks is padding of sample weight 0. */
export interface TrainingChunk {
  readonly devices: number;
  /** [devices, rows, inputs], scaled and finite (in padding as well). */
  readonly x: Float32Array;
  /** [devices, rows], in units of tolerance. */
  readonly y: Float32Array;
  /** [devices, rows]; 0 marks padding. */
  readonly sampleWeights: Float32Array;
}

/** The mini-batches of one epoch for all devices: each array is [steps, devices, batchSize]. */
export interface EpochPlan {
  /** Row of the chunk: device · rows + row. */
  readonly row: Int32Array;
  readonly target: Float32Array;
  /** Learning rate · 2 · sample weight / rows in the device's batch; 0 = takes no part. */
  readonly stepSize: Float32Array;
}

export interface EpochShape {
  readonly rows: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/**
 * Steps of an epoch over `rows` rows: a last batch of at most half the size is left out, unless it is the only one,
 * because so few rows would count more than all others.
 */
export function stepsOfEpoch(rows: number, batchSize: number): number {
  const whole = Math.floor(rows / batchSize);
  const rest = rows - whole * batchSize;
  return rest > batchSize / 2 || (whole === 0 && rest > 0) ? whole + 1 : whole;
}

/** Steps that a device takes over its rows in all epochs. */
export function stepsOfTraining(
  rows: number,
  { epochs, batchSize }: { readonly epochs: number; readonly batchSize: number },
): number {
  return epochs * stepsOfEpoch(rows, batchSize);
}

/**
 * Shuffle each device's own rows and cut them into batches. Padding never enters a batch: a device trains exactly as it
 * would without padding, and takes no part in the steps for which it has no rows.
 */
export function planEpoch(chunk: TrainingChunk, shape: EpochShape, random: Random): EpochPlan {
  const { devices } = chunk;
  const { batchSize, rows } = shape;
  const steps = stepsOfEpoch(rows, batchSize);
  const size = steps * devices * batchSize;
  const plan = {
    row: new Int32Array(size),
    target: new Float32Array(size),
    stepSize: new Float32Array(size),
  };
  const order = new Int32Array(rows);
  for (let device = 0; device < devices; device += 1) {
    const first = device * rows;
    const own = listOwnRows(chunk.sampleWeights, first, order);
    random.shuffle(order.subarray(0, own));
    const ownSteps = stepsOfEpoch(own, batchSize);
    for (let step = 0; step < steps; step += 1) {
      const inBatch = step < ownSteps ? Math.min(batchSize, own - step * batchSize) : 0;
      const scale = (2 * shape.learningRate) / inBatch;
      const at = (step * devices + device) * batchSize;
      for (let place = 0; place < inBatch; place += 1) {
        const row = first + (order[step * batchSize + place] ?? 0);
        plan.row[at + place] = row;
        plan.target[at + place] = chunk.y[row] ?? NaN;
        plan.stepSize[at + place] = scale * (chunk.sampleWeights[row] ?? NaN);
      }
      // Places without a row point to a row that exists, with a step size and target of 0.
      plan.row.fill(first, at + inBatch, at + batchSize);
    }
  }
  return plan;
}

/** Write the numbers of the rows that are not padding to the front of `order`; returns how many there are. */
function listOwnRows(sampleWeights: Float32Array, first: number, order: Int32Array): number {
  let own = 0;
  for (let row = 0; row < order.length; row += 1) {
    if ((sampleWeights[first + row] ?? 0) === 0) continue;
    order[own] = row;
    own += 1;
  }
  return own;
}
