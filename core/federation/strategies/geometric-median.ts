import { z } from 'zod';
import { norm, normalised, squaredDistance, weightedSum } from '../vectors';
import { defineStrategy, soleProposal } from './strategy';

/** Beyond this many steps nothing was gained on any set of updates that was tried, attackers a million times as long included. */
const MOST_STEPS = 100;
/** The centre has settled when a step moves it by less than this share of its own length. */
const SETTLED = 1e-6;

/**
 * RFA (Pillutla et al. 2022, arXiv 1912.13445): w ← w + the geometric median of δᵢ [P], the point v with the least Σ αᵢ ‖δᵢ − v‖, αᵢ = nᵢ/n. Found by the
 * smoothed Weiszfeld algorithm: v ← Σ βᵢ δᵢ / Σ βᵢ with βᵢ = αᵢ / max(ν, ‖δᵢ − v‖), from the mean on. Holds while attackers have less than half of
 * the rows.
 */
export const geometricMedian = defineStrategy('geometric-median', {
  formula: 'w + argmin_v Σ (nᵢ/n) ‖δᵢ − v‖',
  paper: 'Pillutla et al. 2022, arXiv 1912.13445',
  settings: z.strictObject({
    nu: z.number().positive().max(1).default(1e-6).describe('ν, no update counts as nearer than this'),
  }),
  aggregate(updates, { base, state }, { nu }) {
    const shares = normalised(updates.map(({ rows }) => rows));
    let weights = shares;
    let delta = weightedSum(updates, weights, base.length);
    for (let step = 0; step < MOST_STEPS; step += 1) {
      const centre = delta;
      weights = normalised(
        updates.map((update, index) => {
          const distance = Math.sqrt(squaredDistance(update.delta, centre));
          return (shares[index] ?? NaN) / Math.max(nu, distance);
        }),
      );
      delta = weightedSum(updates, weights, base.length);
      if (Math.sqrt(squaredDistance(delta, centre)) <= SETTLED * norm(delta)) break;
    }
    return soleProposal({ delta, weights }, state);
  },
});
