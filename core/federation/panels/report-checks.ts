import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { type PanelTally } from '../../contracts/site-reports';
import { type LeftOutReason } from '../../contracts/updates';
import { type NetworkShape } from '../../model/types';
import {
  LINEAR_RIDGE,
  LINEAR_TARGET_CLIP,
  PANEL_DEVICES,
  PANEL_SHARE,
  RECENT_WINDOWS,
  LONG_WINDOWS,
  REFIT_BLOCKS,
  SUM_ROUNDING,
} from '../constants';
import { isFiniteVector } from '../vectors';
import { type LocalScores } from './local-scoring';
import { rowsOf, type RefitSums } from './additive-sums';

/**
 * What a site cannot have measured does not count: a single site that reports a million times its devices would else decide alone.
 * What it could have measured is believed; how far others let it count is another matter (refit-sites.ts).
 */

/** Most devices that a site has on one panel: its share of 250, or a tenth of its own. */
export function mostPanelDevices(devicesOfSite: number): number {
  return Math.max(1, Math.ceil(Math.min(PANEL_DEVICES, devicesOfSite * PANEL_SHARE)));
}

/** @param devices that the site can have on the panel */
export function isPossibleTally(tally: PanelTally, devices: number): boolean {
  const { rows, correct, softCorrect, squaredError, difference, squaredDifference } = tally;
  return (
    tally.devices <= devices &&
    rows <= tally.devices * RECENT_WINDOWS &&
    correct <= rows &&
    softCorrect >= 0 &&
    softCorrect <= rows &&
    squaredError >= 0 &&
    Math.abs(difference) <= tally.devices &&
    squaredDifference >= 0 &&
    squaredDifference <= tally.devices
  );
}

/** @param devices that the site can have on the panel */
export function arePossibleScores(scores: LocalScores, devices: number): boolean {
  const { rows_recent: recent, rows_long: long } = scores;
  return (
    recent <= devices * RECENT_WINDOWS &&
    long <= devices * LONG_WINDOWS &&
    scores.correct_recent.every((count) => count <= recent) &&
    scores.correct_long.every((count) => count <= long)
  );
}

/** What sums are of. */
export interface SumsKind {
  /** Terms beside the constant. */
  readonly terms: number;
  /** Whether a term may be negative. */
  readonly isSigned: boolean;
  /** The most that v r² can be. */
  readonly mostSquare: number;
  /** With which they are solved where r is a change; null where r is what a model leaves over, and pulls towards nothing. */
  readonly ridge: number | null;
}

/** Of hidden activations, and residuals of the network; the largest r²/(1 + (r/1.5)⁴) there is lies at r = 1.5. */
export function refitKind({ hidden }: Pick<NetworkShape, 'hidden'>): SumsKind {
  return { terms: hidden, isSigned: false, mostSquare: 1.125, ridge: null };
}

/** Of features, and clipped changes. */
export function linearKind({ inputs }: Pick<NetworkShape, 'inputs'>): SumsKind {
  return { terms: inputs, isSigned: true, mostSquare: LINEAR_TARGET_CLIP ** 2, ridge: LINEAR_RIDGE };
}

/**
 * Why a site's sums cannot come from samples, or null where they can. Of real samples Σ v h hᵀ is symmetric, none of its entries is negative where no term is, and its
 * last diagonal entry, Σ v, is at most 1 a sample. With the moment m = Σ v r h at its border and the most that Σ v r² can be in the corner it is positive
 * semidefinite: that is Cauchy and Schwarz in every direction, for all blocks together and for each by itself. How many rows count is
 * bounded later (refit-sites.ts); a block of none pulls nowhere.
 * @param devices of the site
 */
export function faultOfSums(
  { gram, blocks }: RefitSums,
  kind: SumsKind,
  devices: number,
): LeftOutReason | null {
  const size = kind.terms + 1;
  const rows = rowsOf({ blocks });
  if (gram.length !== size * size || blocks.some(({ moment }) => moment.length !== size))
    return 'wrong-shape';
  if (!isFiniteVector([rows, ...gram, ...blocks.flatMap(({ moment }) => moment)])) return 'not-finite';
  const counts = blocks.every((block) => Number.isInteger(block.rows) && block.rows >= 0);
  if (!counts || blocks.length > REFIT_BLOCKS || (devices === 0 && rows > 0)) return 'impossible-sums';
  const heaviest = (gram[gram.length - 1] ?? NaN) <= rows * (1 + SUM_ROUNDING);
  if (!heaviest || (!kind.isSigned && gram.some((value) => value < 0))) return 'impossible-sums';
  const moment = Array.from({ length: size }, (_, at) =>
    blocks.reduce((sum, block) => sum + (block.moment[at] ?? NaN), 0),
  );
  return [{ rows, moment }, ...blocks].every((block) =>
    isSumOfProducts(bordered(gram, block, kind.mostSquare)),
  )
    ? null
    : 'impossible-sums';
}

/** [[gram, moment], [momentᵀ, the most that Σ v r² can be]] */
function bordered(
  gram: readonly number[],
  { rows, moment }: RefitSums['blocks'][number],
  mostSquare: number,
): number[][] {
  const size = moment.length;
  return [
    ...moment.map((value, i) => [...gram.slice(i * size, (i + 1) * size), value]),
    [...moment, mostSquare * rows],
  ];
}

/** Whether the matrix is symmetric and positive semidefinite, but for rounding. It is scaled to a diagonal of ones first, as units differ by orders. */
function isSumOfProducts(matrix: readonly (readonly number[])[]): boolean {
  const at = (i: number, j: number): number => matrix[i]?.[j] ?? NaN;
  const scaled = matrix.map((row, i) =>
    row.map((value, j) => {
      const scale = Math.sqrt(at(i, i)) * Math.sqrt(at(j, j));
      // What has no square has no products.
      return scale === 0 ? value : value / scale;
    }),
  );
  const isSymmetric = scaled.every((row, i) =>
    row.every((value, j) => Math.abs(value - (scaled[j]?.[i] ?? NaN)) <= SUM_ROUNDING),
  );
  if (!isSymmetric) return false;
  const { realEigenvalues } = new EigenvalueDecomposition(new Matrix(scaled), { assumeSymmetric: true });
  return Math.min(...realEigenvalues) >= -SUM_ROUNDING;
}
