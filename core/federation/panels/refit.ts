import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { FedloopError } from '../../contracts/errors';
import { type PanelSums } from '../../contracts/site-reports';
import { weightOffsets } from '../../model/network';
import { type FlatWeights, type NetworkShape } from '../../model/types';
import { REFIT_RIDGE, REFIT_ROBUST_SCALE, RESIDUAL_CLIP } from '../constants';
import { isFiniteVector } from '../vectors';
import { deviceInfluence } from './device-influence';

/**
 * Sums from which the output layer is refitted. With h = [hidden activations, 1], H = hidden + 1, residual r = clip(y − o, ±2) and
 * robust weight v: `gram` = Σ v h hᵀ [H, H] row-major over all samples, and of each block of windows its `moment` = Σ v r h [H].
 * Sums of several sites add up, so readings stay where they are. Blocks of the same place are of the same windows on every site.
 */
export type RefitSums = Readonly<Pick<PanelSums, 'gram' | 'blocks'>>;

/** A refit, and the share of the sums' full step that it takes (above 0, at most 1). */
export interface Refit {
  readonly weights: FlatWeights;
  readonly share: number;
}

/** A site's samples of one proposal. */
export interface RefitSamples {
  /** Hidden layer after ReLU [samples, hidden], for the proposal's weights. */
  readonly activations: Float32Array;
  /** The proposal's outputs in tolerances [samples]. */
  readonly outputs: ArrayLike<number>;
  /** Actual changes in tolerances [samples]. */
  readonly actual: ArrayLike<number>;
  /** Place of each sample's block of windows, from 0 [samples]. */
  readonly blockOf: ArrayLike<number>;
  /** Number of each sample's device [samples]. */
  readonly deviceOf: ArrayLike<number>;
}

/** A site's sums for one proposal. No device pulls much harder than most do (device-influence.ts). */
export function refitSums({ hidden }: NetworkShape, samples: RefitSamples): RefitSums {
  const { activations, outputs, actual, blockOf, deviceOf } = samples;
  const size = hidden + 1;
  const rows = Array.from(actual, (_, sample) => {
    const residual = clip((actual[sample] ?? NaN) - (outputs[sample] ?? NaN));
    return { residual, weight: robustWeight(residual), device: deviceOf[sample] ?? 0 };
  });
  const influence = deviceInfluence(hidden, activations, rows);
  const gram = new Float64Array(size * size);
  const blocks: { rows: number; moment: Float64Array }[] = [];
  const row = new Float64Array(size);
  row[hidden] = 1;
  rows.forEach(({ residual, weight, device }, sample) => {
    const place = blockOf[sample] ?? 0;
    while (blocks.length <= place) blocks.push({ rows: 0, moment: new Float64Array(size) });
    const block = blocks[place];
    if (block === undefined) return;
    block.rows += 1;
    const { moment } = block;
    const share = weight * (influence.get(device) ?? 1);
    for (let unit = 0; unit < hidden; unit += 1) row[unit] = activations[sample * hidden + unit] ?? NaN;
    for (let i = 0; i < size; i += 1) {
      const scaled = share * (row[i] ?? NaN);
      if (scaled === 0) continue;
      moment[i] = (moment[i] ?? NaN) + scaled * residual;
      // The matrix is symmetric: the upper half is enough here.
      for (let j = i; j < size; j += 1)
        gram[i * size + j] = (gram[i * size + j] ?? NaN) + scaled * (row[j] ?? NaN);
    }
  });
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j < i; j += 1) gram[i * size + j] = gram[j * size + i] ?? NaN;
  return { gram: [...gram], blocks: blocks.map((block) => ({ ...block, moment: [...block.moment] })) };
}

/** Sums of several sites as one. @throws FedloopError `InvalidInput` when they come from networks of different sizes. */
export function addRefitSums(parts: readonly RefitSums[]): RefitSums {
  const [first] = parts;
  if (first === undefined) throw new FedloopError('InvalidInput', 'refit: no site sent sums');
  if (parts.some(({ gram }) => gram.length !== first.gram.length))
    throw new FedloopError('InvalidInput', 'refit: sums of networks of different sizes');
  const places = Math.max(...parts.map(({ blocks }) => blocks.length));
  return {
    gram: sumOf(parts.map(({ gram }) => gram)),
    blocks: Array.from({ length: places }, (_, place) => {
      const own = parts.flatMap(({ blocks }) => blocks[place] ?? []);
      return {
        rows: own.reduce((sum, { rows }) => sum + rows, 0),
        moment: sumOf(own.map(({ moment }) => moment)),
      };
    }),
  };
}

/**
 * Ridge regression of the residuals on the hidden layer, shrunk to what repeats over time. With A = gram + λI, λ = 0.03 · rows, and moment m = Σ m_b
 * of B blocks: step d = s · A⁻¹ m onto the output layer (W2, b2), where
 *
 *   s = max(0, 1 − noise / signal),  signal = mᵀA⁻¹m,  noise = B/(B−1) · Σ_b c_bᵀA⁻¹c_b,  c_b = m_b − (rows_b / rows) m.
 *
 * The positive-part James–Stein factor (James & Stein 1961) with the noise measured between blocks of time (Liang & Zeger 1986; blocks against
 * autocorrelation as in Künsch 1989). When a fleet shares one wall clock, a thousand devices' readings of one hour are one sample of its weather:
 * blocks then differ as much as they agree, and the step vanishes. The ridge pulls towards the proposal itself, not towards zero.
 * @returns `null` when the sums are not enough: no samples, fewer than two blocks, nothing that repeats, or not finite.
 * @throws FedloopError `InvalidInput` when they come from a network of another size
 */
export function refitOutputLayer(
  shape: NetworkShape,
  proposal: FlatWeights,
  { gram, blocks: all }: RefitSums,
  ridge = REFIT_RIDGE,
): Refit | null {
  const size = shape.hidden + 1;
  const blocks = all.filter(({ rows }) => rows > 0);
  if (gram.length !== size * size || blocks.some(({ moment }) => moment.length !== size)) {
    const message = `refit: sums of ${Math.sqrt(gram.length) - 1} hidden units do not fit a network of ${shape.hidden}`;
    throw new FedloopError('InvalidInput', message);
  }
  if (blocks.length < 2) return null;
  if (!isFiniteVector(gram) || !blocks.every(({ moment }) => isFiniteVector(moment))) return null;
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const moment = sumOf(blocks.map((block) => block.moment));
  const system = new CholeskyDecomposition(
    Matrix.from1DArray(size, size, [...gram]).add(Matrix.eye(size).mul(ridge * rows)),
  );
  const solve = (side: number[]): number[] => system.solve(Matrix.columnVector(side)).to1DArray();
  const energy = (side: number[]): number => dot(side, solve(side));
  const between = blocks
    .map((block) =>
      energy(block.moment.map((value, at) => value - (block.rows / rows) * (moment[at] ?? NaN))),
    )
    .reduce((sum, value) => sum + value, 0);
  const noise = (blocks.length / (blocks.length - 1)) * between;
  const share = Math.max(0, 1 - noise / energy(moment));
  if (!(share > 0)) return null;
  const step = solve(moment);
  const weights = proposal.slice();
  const { w2 } = weightOffsets(shape);
  step.forEach((value, unit) => {
    weights[w2 + unit] = (weights[w2 + unit] ?? NaN) + share * value;
  });
  return isFiniteVector(weights) ? { weights, share } : null;
}

function sumOf(vectors: readonly (readonly number[])[]): number[] {
  return (vectors[0] ?? []).map((_, at) => vectors.reduce((sum, vector) => sum + (vector[at] ?? NaN), 0));
}

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? NaN), 0);
}

/** 1/(1 + (r/1.5)⁴): near 1 inside the tolerance, ¼ at the clip. */
function robustWeight(residual: number): number {
  return 1 / (1 + (residual / REFIT_ROBUST_SCALE) ** 4);
}

function clip(residual: number): number {
  return Math.min(Math.max(residual, -RESIDUAL_CLIP), RESIDUAL_CLIP);
}
