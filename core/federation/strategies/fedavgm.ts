import { z } from 'zod';
import { plus, times } from '../vectors';
import { defineStrategy, meanByRows, soleProposal } from './strategy';

/**
 * FedAvg with momentum on the server (Hsu et al. 2019, arXiv 1909.06335): with Δ = Σ (nᵢ/n) δᵢ [P], v ← βv + Δ, w ← w + ηv. v starts at 0 and is kept
 * across rounds and restarts.
 */
export const fedAvgM = defineStrategy('fedavgm', {
  formula: 'v ← βv + Δ; w + ηv',
  paper: 'Hsu et al. 2019, arXiv 1909.06335',
  settings: z.strictObject({
    eta: z.number().positive().max(10).default(0.5).describe('η, the server’s learning rate'),
    momentum: z.number().min(0).lt(1).default(0.5).describe('β, how much of the last step is taken again'),
  }),
  aggregate(updates, context, { eta, momentum }) {
    const { delta: change, weights } = meanByRows(updates, context);
    const { state } = context;
    const before = state.vectors['momentum'];
    const velocity = before === undefined ? change : plus(times(before, momentum), change);
    const next = { ...state, steps: state.steps + 1, vectors: { momentum: velocity } };
    return soleProposal({ delta: times(velocity, eta), weights }, next);
  },
});
