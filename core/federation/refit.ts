import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { FedloopError } from '../contracts/errors';
import { type FlatWeights, type NetworkShape } from '../model/types';
import { REFIT_RIDGE, REFIT_ROBUST_SCALE, RESIDUAL_CLIP } from './constants';
import { isFiniteVector } from './vectors';

/**
 * Sums from which the output layer is refitted. With h = [hidden activations, 1], H = hidden + 1, residual r = clip(y − o, ±2) and
 * robust weight v: `gram` = Σ v h hᵀ [H, H] row-major, `moment` = Σ v r h [H], over `rows` samples. Sums of several sites add up, so
 * readings stay where they are.
 */
export interface RefitSums {
  readonly rows: number;
  readonly gram: Float64Array;
  readonly moment: Float64Array;
}

/**
 * A site's sums for one proposal.
 * @param activations hidden layer after ReLU [samples, hidden], for the proposal's weights
 * @param outputs the proposal's outputs in tolerances [samples]
 * @param actual actual changes in tolerances [samples]
 */
export function refitSums(
  shape: NetworkShape,
  activations: Float32Array,
  outputs: ArrayLike<number>,
  actual: ArrayLike<number>,
): RefitSums {
  const { hidden } = shape;
  const size = hidden + 1;
  const samples = actual.length;
  const gram = new Float64Array(size * size);
  const moment = new Float64Array(size);
  const row = new Float64Array(size);
  row[hidden] = 1;
  for (let sample = 0; sample < samples; sample += 1) {
    const residual = clip((actual[sample] ?? NaN) - (outputs[sample] ?? NaN));
    const weight = robustWeight(residual);
    for (let unit = 0; unit < hidden; unit += 1) row[unit] = activations[sample * hidden + unit] ?? NaN;
    for (let i = 0; i < size; i += 1) {
      const scaled = weight * (row[i] ?? NaN);
      if (scaled === 0) continue;
      moment[i] = (moment[i] ?? NaN) + scaled * residual;
      // The matrix is symmetric: the upper half is enough here.
      for (let j = i; j < size; j += 1)
        gram[i * size + j] = (gram[i * size + j] ?? NaN) + scaled * (row[j] ?? NaN);
    }
  }
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j < i; j += 1) gram[i * size + j] = gram[j * size + i] ?? NaN;
  return { rows: samples, gram, moment };
}

/** Sums of several sites as one. @throws FedloopError `InvalidInput` when they come from networks of different sizes. */
export function addRefitSums(parts: readonly RefitSums[]): RefitSums {
  const [first, ...others] = parts;
  if (first === undefined) throw new FedloopError('InvalidInput', 'refit: no site sent sums');
  return others.reduce<RefitSums>((sum, part) => {
    if (part.moment.length !== sum.moment.length)
      throw new FedloopError('InvalidInput', 'refit: sums of networks of different sizes');
    return {
      rows: sum.rows + part.rows,
      gram: sum.gram.map((value, at) => value + (part.gram[at] ?? NaN)),
      moment: sum.moment.map((value, at) => value + (part.moment[at] ?? NaN)),
    };
  }, first);
}

/**
 * Ridge regression of the residuals on the hidden layer: solve (gram + λI) d = moment with λ = 0.03 · rows, and add d to the
 * output layer (W2, b2). The ridge pulls towards the proposal itself, not towards zero.
 * @returns the refitted weights, or `null` when the sums hold nothing to go by (no samples, or not finite).
 * @throws FedloopError `InvalidInput` when they come from a network of another size
 */
export function refitOutputLayer(
  shape: NetworkShape,
  proposal: FlatWeights,
  sums: RefitSums,
  ridge = REFIT_RIDGE,
): FlatWeights | null {
  const size = shape.hidden + 1;
  if (sums.moment.length !== size || sums.gram.length !== size * size) {
    throw new FedloopError(
      'InvalidInput',
      `refit: sums of ${sums.moment.length} numbers do not fit ${shape.hidden} hidden units`,
    );
  }
  if (sums.rows === 0 || !isFiniteVector(sums.gram) || !isFiniteVector(sums.moment)) return null;
  const gram = Matrix.from1DArray(size, size, [...sums.gram]);
  const system = gram.add(Matrix.eye(size).mul(ridge * sums.rows));
  const solution = new CholeskyDecomposition(system).solve(Matrix.columnVector([...sums.moment]));
  const refitted = proposal.slice();
  const outputLayer = shape.inputs * shape.hidden + shape.hidden;
  for (let unit = 0; unit < size; unit += 1) {
    refitted[outputLayer + unit] = (refitted[outputLayer + unit] ?? NaN) + solution.get(unit, 0);
  }
  return isFiniteVector(refitted) ? refitted : null;
}

/** 1/(1 + (r/1.5)⁴): near 1 inside the tolerance, ¼ at the clip. */
function robustWeight(residual: number): number {
  return 1 / (1 + (residual / REFIT_ROBUST_SCALE) ** 4);
}

function clip(residual: number): number {
  return Math.min(Math.max(residual, -RESIDUAL_CLIP), RESIDUAL_CLIP);
}
