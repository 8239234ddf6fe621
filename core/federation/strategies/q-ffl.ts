import { z } from 'zod';
import { norm, weightedSum } from '../vectors';
import { BaseStrategy, settingOf, soleProposal, withoutFeedback } from './base-strategy';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/** A loss of exactly 0 to a negative power would be infinite. */
const LEAST_LOSS = 1e-10;

/**
 * q-fair federated learning (Li et al. 2020, arXiv 1905.10497, q-FedAvg): devices with a larger loss Fᵢ of the incoming model count more.
 * With L = 1/learning rate and Δᵢ = −L δᵢ [P]: w ← w − Σ Fᵢ^q Δᵢ / Σ (q Fᵢ^(q−1) ‖Δᵢ‖² + L Fᵢ^q). q = 0 weighs all alike.
 * Note the sign: this lifts the failing, `closed-loop` rewards the accurate.
 */
export class QFfl extends BaseStrategy {
  readonly name = 'q-ffl';
  readonly summary = 'lifts the devices that the global model serves worst; q says how much';
  readonly formula = 'w − Σ Fᵢ^q Δᵢ / Σ (q Fᵢ^(q−1) ‖Δᵢ‖² + L Fᵢ^q)';
  readonly paper = 'Li et al. 2020, arXiv 1905.10497';
  override readonly settings = z.strictObject({ q: z.number().min(0).max(10).default(0.1) });

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const q = settingOf(context, 'q');
    const lipschitz = 1 / context.learningRate;
    const powers = updates.map(({ baseLoss }) => Math.max(baseLoss, LEAST_LOSS) ** q);
    const curvature = updates.reduce((sum, { delta, baseLoss }, index) => {
      const squaredNorm = (lipschitz * norm(delta)) ** 2;
      return (
        sum + q * Math.max(baseLoss, LEAST_LOSS) ** (q - 1) * squaredNorm + lipschitz * (powers[index] ?? NaN)
      );
    }, 0);
    const factors = powers.map((power) => (lipschitz * power) / curvature);
    const delta = weightedSum(
      updates.map((update) => update.delta),
      factors,
      context.base.length,
    );
    const total = powers.reduce((sum, power) => sum + power, 0);
    return withoutFeedback(
      soleProposal(
        delta,
        Float64Array.from(powers, (power) => power / total),
      ),
      context.state,
    );
  }
}
