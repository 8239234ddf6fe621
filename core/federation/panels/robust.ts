import { REFIT_ROBUST_SCALE } from '../constants';

/** 1/(1 + (r/1.5)⁴): near 1 inside the tolerance, ¼ at twice of it. */
export function robustWeight(residual: number): number {
  return weightAt(residual / REFIT_ROBUST_SCALE);
}

/** 1/(1 + t⁴): ½ where a size is as large as its scale. */
export function weightAt(ratio: number): number {
  return 1 / (1 + ratio ** 4);
}

export function clipResidual(residual: number, most: number): number {
  return Math.min(Math.max(residual, -most), most);
}
