import { MAX_CLIP_NORM, MIN_CLIP_NORM, type AdaptiveClip } from '../../contracts/privacy';

/**
 * The next round's clip norm (Andrew et al. 2021, arXiv 1905.03871, section 2): C ← C · e^(−η(b̃ − γ)), where b̃ is the share of the updates whose
 * norm is at most C, with noise of standard deviation σ on their number. It moves by a factor, as norms differ by orders of magnitude.
 * @param norms of the updates before clipping, at least one
 * @param normal Gaussian with mean 0 and standard deviation 1
 */
export function nextClipNorm(
  clipNorm: number,
  norms: readonly number[],
  { quantile, rate, countNoise }: Pick<AdaptiveClip, 'quantile' | 'rate' | 'countNoise'>,
  normal: () => number,
): number {
  const within = norms.filter((norm) => norm <= clipNorm).length;
  const share = (within + countNoise * normal()) / norms.length;
  const next = clipNorm * Math.exp(-rate * (share - quantile));
  return Math.min(Math.max(next, MIN_CLIP_NORM), MAX_CLIP_NORM);
}
