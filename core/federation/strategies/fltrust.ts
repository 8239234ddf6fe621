import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { dot, norm, normalised, weightedSum } from '../vectors';
import { defineStrategy, soleProposal } from './strategy';

/**
 * FLTrust (Cao et al. 2021, arXiv 2012.13995): the server has data of its own, and trusts an update as far as it points the way of an update that is made
 * of them. With g₀ [P] that root update and Tᵢ = max(0, cos(δᵢ, g₀)): w ← w + α Σ Tᵢ (‖g₀‖/‖δᵢ‖) δᵢ / Σ Tᵢ. No update is longer than g₀, however many
 * attackers there are. Where none is trusted, w stays.
 * The paper's data are clean and in one place. Panel A's are neither, so that g₀ is the median of what its devices learn (aggregation/root-update.ts): one
 * model of all their rows lost 7 to 17 points where a tenth of devices was broken, the median 0.1 (`npm run bench:loop`, scenario `faults`).
 */
export const flTrust = defineStrategy('fltrust', {
  formula:
    'w + α Σ Tᵢ (‖g₀‖/‖δᵢ‖) δᵢ / Σ Tᵢ, with Tᵢ = max(0, cos(δᵢ, g₀)) and g₀ the median update of panel A',
  paper: 'Cao et al. 2021, arXiv 2012.13995',
  settings: z.strictObject({
    alpha: z.number().positive().max(10).default(1).describe('α, the server’s learning rate'),
  }),
  aggregate(updates, { base, rootUpdate, state }, { alpha }) {
    if (rootUpdate === null)
      throw new FedloopError('TooFewUpdates', 'fltrust has no root update: no device of panel A could train');
    const rootLength = norm(rootUpdate);
    const lengths = updates.map(({ delta }) => norm(delta));
    const trust = updates.map(({ delta }, index) => {
      const both = (lengths[index] ?? NaN) * rootLength;
      return both === 0 ? 0 : Math.max(0, dot(delta, rootUpdate) / both);
    });
    const total = trust.reduce((sum, score) => sum + score, 0);
    const factors = trust.map((score, index) =>
      score === 0 ? 0 : (alpha * (score / total) * rootLength) / (lengths[index] ?? NaN),
    );
    const aggregation = soleProposal(
      {
        delta: weightedSum(updates, factors, base.length),
        weights: total === 0 ? new Float64Array(updates.length) : normalised(trust),
      },
      state,
      trust.map((score) => (score > 0 ? null : 'not-chosen')),
    );
    return { ...aggregation, feedbackUsed: { trusted_updates: trust.filter((score) => score > 0).length } };
  },
});
