import { z } from 'zod';
import { normalised, times, weightedSum } from '../vectors';
import { defineStrategy, soleProposal } from './strategy';

/**
 * Normalised averaging (Wang et al. 2020, arXiv 2007.07481) for plain gradient descent: a device with more rows takes more local steps τᵢ, and the mean of
 * steps would go its way. With pᵢ = nᵢ/n: w ← w + τ Σ pᵢ δᵢ/τᵢ, where τ = Σ pᵢ τᵢ. Equal to fedavg where all take as many steps.
 */
export const fedNova = defineStrategy('fednova', {
  formula: 'w + (Σ pᵢ τᵢ) Σ pᵢ δᵢ/τᵢ, with pᵢ = nᵢ/n and τᵢ local steps',
  paper: 'Wang et al. 2020, arXiv 2007.07481',
  settings: z.strictObject({}),
  aggregate(updates, { base, state, localSteps }) {
    const shares = normalised(updates.map(({ rows }) => rows));
    const steps = updates.map(({ rows }) => Math.max(1, localSteps(rows)));
    const perStep = shares.map((share, index) => share / (steps[index] ?? NaN));
    const effective = shares.reduce((sum, share, index) => sum + share * (steps[index] ?? NaN), 0);
    const delta = times(weightedSum(updates, perStep, base.length), effective);
    return soleProposal({ delta, weights: normalised(perStep) }, state);
  },
});
