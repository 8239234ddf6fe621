import { type FlatWeights } from '../../model/types';
import { meanOfMiddle } from '../strategies/coordinate-wise';
import { isFiniteVector, median, norm, normalised, times, weightedSum } from '../vectors';
import { clipToMedianNorm } from './clipping';

/**
 * What FLTrust holds updates against, of one site: the coordinate-wise median of what its devices on panel A have learned, as long as the median
 * one of them. The median, because some of these devices are broken, too; its own length is that of no device, as what devices differ in has gone.
 * @param deltas local − incoming weights [devices, P]
 * @returns [P]; null without devices
 */
export function rootOf(deltas: Float32Array, parameters: number): FlatWeights | null {
  const devices = deltas.length / parameters;
  if (devices === 0) return null;
  const updates = Array.from({ length: devices }, (_, device) => ({
    delta: deltas.subarray(device * parameters, (device + 1) * parameters),
  }));
  const { delta } = meanOfMiddle(updates, parameters, Math.floor((devices - 1) / 2));
  const length = norm(delta);
  return length === 0 ? delta : times(delta, median(updates.map((update) => norm(update.delta))) / length);
}

/** The root updates of all sites as one, and how many could not count. */
export interface CombinedRoot {
  /** [P]; null where no site sent one that can count. */
  readonly update: FlatWeights | null;
  readonly refused: number;
}

/** The mean of the sites' root updates, none of which pulls further than 1.5 × the median one. */
export function combineRoots(sent: readonly FlatWeights[], parameters: number): CombinedRoot {
  const possible = sent.filter((update) => update.length === parameters && isFiniteVector(update));
  const refused = sent.length - possible.length;
  if (possible.length === 0) return { update: null, refused };
  const updates = clipToMedianNorm(possible).deltas.map((delta) => ({ delta }));
  const alike = normalised(updates.map(() => 1));
  return { update: weightedSum(updates, alike, parameters), refused };
}
