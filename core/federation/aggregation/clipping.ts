import { CLIP_TO_MEDIAN } from '../constants';
import { type FlatWeights } from '../../model/types';
import { median, norm, times } from '../vectors';

export interface Clipped {
  readonly deltas: readonly FlatWeights[];
  /** How many were shortened. */
  readonly clipped: number;
}

/** Shorten every delta [P] to 1.5 × the median norm of them all: δ ← δ · min(1, 1.5·median/‖δ‖). */
export function clipToMedianNorm(deltas: readonly FlatWeights[]): Clipped {
  return clipNorms(deltas, CLIP_TO_MEDIAN * median(deltas.map(norm)));
}

/** Shorten every delta to at most `bound`; those within it stay the same objects. */
export function clipNorms(deltas: readonly FlatWeights[], bound: number): Clipped {
  let clipped = 0;
  const shortened = deltas.map((delta) => {
    const length = norm(delta);
    if (length <= bound) return delta;
    clipped += 1;
    return times(delta, bound / length);
  });
  return { deltas: shortened, clipped };
}
