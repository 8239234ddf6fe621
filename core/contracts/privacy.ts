import { z } from 'zod';
import { roundKey } from './ids';
import { nameSchema } from './storable';
import { timestampTextSchema } from './timestamps';

/** Norms of updates that make sense; an adaptive one never leaves the range. */
export const MIN_CLIP_NORM = 1e-6;
export const MAX_CLIP_NORM = 1e6;
const clipNormSchema = z.number().min(MIN_CLIP_NORM).max(MAX_CLIP_NORM);

/** A norm that follows a quantile of the updates' norms (Andrew et al. 2021, arXiv 1905.03871). Defaults are the paper's, but for the noise. */
export const adaptiveClipSchema = z.strictObject({
  /** γ: the share of updates that is to stay within the norm. */
  quantile: z.number().gt(0).lt(1).default(0.5),
  /** The norm of the first round; later ones go on from what the last one booked for the same quantile. */
  initial: clipNormSchema.default(0.1),
  /** η: how fast the norm follows: were no update within it, it would grow by e^(ηγ) a round. */
  rate: z.number().positive().max(1).default(0.2),
  /** σ: standard deviation of the noise on the number of updates within the norm. It costs 1/σ², beside 1/z² of the mean. */
  countNoise: z.number().min(0.1).max(1e6).default(5),
});
export type AdaptiveClip = z.infer<typeof adaptiveClipSchema>;

/** Differential privacy: Gaussian noise on the clipped mean (mean-based strategies alone). */
export const privacySettingsSchema = z.strictObject({
  noiseMultiplier: z.number().min(1e-3).max(1e6),
  /** "adaptive": all defaults. */
  clipNorm: z.union([clipNormSchema, z.literal('adaptive'), adaptiveClipSchema]),
  delta: z.number().gt(0).lt(1).default(1e-5),
  /** Largest ε of all rounds together; a round that would take more is refused before it trains. Left out: ε is only booked. */
  budget: z.number().positive().optional(),
});
export type PrivacySettings = z.infer<typeof privacySettingsSchema>;

/** A norm that adapts, with all of its settings; null for a fixed one. */
export function adaptiveClipOf({ clipNorm }: Pick<PrivacySettings, 'clipNorm'>): AdaptiveClip | null {
  if (typeof clipNorm === 'number') return null;
  return clipNorm === 'adaptive' ? adaptiveClipSchema.parse({}) : clipNorm;
}

/**
 * Key `privacy-booking/<draw>` in `model-deployments`: what one draw of noise costs. It is written before anything made of that noise is, whatever
 * becomes of the round, and never changed; what a fleet has spent is the sum of all of them. It stands in this log because that is kept for good,
 * signed where models are, and followed by every worker that could spend.
 */
export const privacyBookingSchema = z.object({
  type: z.literal('privacy-booking'),
  ...roundKey,
  /** Drawn anew for each draw of noise: a retry that draws again books again. */
  draw: nameSchema,
  /** Σ 1/z² of the mean and, where the norm adapts, of the count. */
  inverse_squares: z.number().positive(),
  clip_norm: clipNormSchema,
  /** The next round's norm, from the noised count, and the quantile that it follows; null where the norm is fixed. */
  next_clip: z.object({ quantile: z.number(), norm: clipNormSchema }).nullable(),
  delta: z.number().gt(0).lt(1),
  /** ε of all bookings up to this one, for its δ; null above 500. */
  epsilon: z.number().min(0).nullable(),
  at: timestampTextSchema,
});
export type PrivacyBooking = z.infer<typeof privacyBookingSchema>;
