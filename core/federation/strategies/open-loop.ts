import { z } from 'zod';
import { plus, times, weightedSum } from '../vectors';
import { defineStrategy, soleProposal, weightsByReport } from './strategy';

/**
 * The usual server, and the closed loop's opponent: local models weigh by the accuracy aᵢ that they report of themselves,
 * w ← w + m with m ← βm + Σ aᵢ δᵢ / Σ aᵢ. β = 0 (default) has no momentum. No report is checked.
 */
export const openLoop = defineStrategy('open-loop', {
  formula: 'm ← βm + Σ aᵢ δᵢ / Σ aᵢ; w + m',
  paper: null,
  settings: z.strictObject({
    momentum: z.number().min(0).lt(1).default(0).describe('β, how much of the last step is taken again'),
  }),
  aggregate(updates, { base, state }, { momentum }) {
    const weights = weightsByReport(updates);
    const average = weightedSum(updates, weights, base.length);
    const before = state.vectors['momentum'];
    const delta = before === undefined || momentum === 0 ? average : plus(times(before, momentum), average);
    const vectors = momentum === 0 ? {} : { momentum: delta };
    return soleProposal({ delta, weights }, { ...state, steps: state.steps + 1, vectors });
  },
});
