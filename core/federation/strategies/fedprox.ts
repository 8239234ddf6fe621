import { z } from 'zod';
import { BaseStrategy, meanByRows, soleProposal, withoutFeedback } from './base-strategy';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/**
 * FedProx (Li et al. 2020, arXiv 1812.06127): local training minimises Fᵢ(w) + (μ/2)‖w − w_global‖², so that devices with
 * unlike data don't drift apart; the server takes the mean as `fedavg` does. μ = 0 is `fedavg`.
 */
export class FedProx extends BaseStrategy {
  readonly name = 'fedprox';
  readonly summary = 'fedavg, with local training held near the global model by a pull μ';
  readonly formula = 'local: min Fᵢ(w) + (μ/2)‖w − w_global‖²; server: w + Σ (nᵢ/n) δᵢ';
  readonly paper = 'Li et al. 2020, arXiv 1812.06127';
  /** The paper searches μ over 0.001 to 1; 0.1 is its middle. */
  override readonly settings = z.strictObject({ mu: z.number().min(0).max(10).default(0.1) });
  override readonly allowsNoise = true;

  override readonly proximal = (settings: Readonly<Record<string, number>>): number => settings['mu'] ?? 0;

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const { delta, weights } = meanByRows(updates, context);
    return withoutFeedback(soleProposal(delta, weights), context.state);
  }
}
