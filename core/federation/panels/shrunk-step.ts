import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { FedloopError } from '../../contracts/errors';
import { isFiniteVector, sumOfVectors } from '../vectors';
import { rowsOf, type RefitSums } from './additive-sums';

/**
 * Ridge regression from sums, shrunk to what repeats over time. With A = gram + λI, λ = ridge · rows, and moment m = Σ m_b
 * of B blocks: step d = s · A⁻¹ m, where
 *
 *   s = max(0, 1 − noise / signal),  signal = mᵀA⁻¹m,  noise = B/(B−1) · Σ_b c_bᵀA⁻¹c_b,  c_b = m_b − (rows_b / rows) m.
 *
 * The positive-part James–Stein factor (James & Stein 1961) with the noise measured between blocks of time (Liang & Zeger 1986; blocks against
 * autocorrelation as in Künsch 1989). When a fleet shares one wall clock, a thousand devices' readings of one hour are one sample of its weather:
 * blocks then differ as much as they agree, and the step vanishes.
 * @param size of the step
 * @returns the step and s; `null` when the sums are not enough: no samples, fewer than two blocks, nothing that repeats, or not finite.
 * @throws FedloopError `InvalidInput` when they are of another size
 */
export function shrunkStep(
  { gram, blocks: all }: RefitSums,
  size: number,
  ridge: number,
): { readonly step: readonly number[]; readonly share: number } | null {
  const blocks = all.filter(({ rows }) => rows > 0);
  if (gram.length !== size * size || blocks.some(({ moment }) => moment.length !== size)) {
    const message = `refit: sums of ${Math.sqrt(gram.length) - 1} terms do not fit a model of ${size - 1}`;
    throw new FedloopError('InvalidInput', message);
  }
  if (blocks.length < 2) return null;
  if (!isFiniteVector(gram) || !blocks.every(({ moment }) => isFiniteVector(moment))) return null;
  const { rows, moment, system } = ridgeSystem({ gram, blocks }, ridge);
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
  return { step: solve(moment).map((value) => share * value), share };
}

/** The same without shrinkage, A⁻¹ m; `null` without samples. */
export function ridgeStep(sums: RefitSums, ridge: number): readonly number[] | null {
  const { rows, moment, system } = ridgeSystem(sums, ridge);
  return rows === 0 ? null : system.solve(Matrix.columnVector(moment)).to1DArray();
}

function ridgeSystem(
  { gram, blocks }: RefitSums,
  ridge: number,
): { readonly rows: number; readonly moment: number[]; readonly system: CholeskyDecomposition } {
  const size = Math.sqrt(gram.length);
  const rows = rowsOf({ blocks });
  const damped = Matrix.from1DArray(size, size, [...gram]).add(Matrix.eye(size).mul(ridge * rows));
  return {
    rows,
    moment: sumOfVectors(blocks.map((block) => block.moment)),
    system: new CholeskyDecomposition(damped),
  };
}

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? NaN), 0);
}
