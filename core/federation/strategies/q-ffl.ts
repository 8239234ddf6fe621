import { z } from 'zod';
import { MIN_LOSS } from '../constants';
import { norm, weightedSum } from '../vectors';
import { defineStrategy, soleProposal } from './strategy';

/**
 * q-fair federated learning (Li et al. 2020, arXiv 1905.10497, q-FedAvg): devices with a larger loss Fᵢ of the incoming model count more.
 * With L = 1/learning rate and Δᵢ = −L δᵢ [P]: w ← w − Σ Fᵢ^q Δᵢ / Σ (q Fᵢ^(q−1) ‖Δᵢ‖² + L Fᵢ^q). q = 0 weighs all alike.
 * Note the sign: this lifts the failing, `closed-loop` rewards the accurate.
 */
export const qFfl = defineStrategy('q-ffl', {
  formula: 'w − Σ Fᵢ^q Δᵢ / Σ (q Fᵢ^(q−1) ‖Δᵢ‖² + L Fᵢ^q)',
  paper: 'Li et al. 2020, arXiv 1905.10497',
  settings: z.strictObject({
    q: z.number().min(0).max(10).default(0.1).describe('q, how much more devices with a large loss count'),
  }),
  aggregate(updates, { base, learningRate, state }, { q }) {
    const lipschitz = 1 / learningRate;
    const powers = updates.map(({ baseLoss }) => Math.max(baseLoss, MIN_LOSS) ** q);
    const curvature = updates.reduce((sum, { delta, baseLoss }, index) => {
      const squaredNorm = (lipschitz * norm(delta)) ** 2;
      return (
        sum + q * Math.max(baseLoss, MIN_LOSS) ** (q - 1) * squaredNorm + lipschitz * (powers[index] ?? NaN)
      );
    }, 0);
    const factors = powers.map((power) => (lipschitz * power) / curvature);
    const total = powers.reduce((sum, power) => sum + power, 0);
    const weights = Float64Array.from(powers, (power) => power / total);
    return soleProposal({ delta: weightedSum(updates, factors, base.length), weights }, state);
  },
});
