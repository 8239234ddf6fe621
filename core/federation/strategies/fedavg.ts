import { BaseStrategy, meanByRows, soleProposal, withoutFeedback } from './base-strategy';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/**
 * Federated averaging (McMahan et al. 2017, arXiv 1602.05629): w ← w + Σ (nᵢ/n) δᵢ.
 * δᵢ [P] local − global weights, nᵢ training rows.
 */
export class FedAvg extends BaseStrategy {
  readonly name = 'fedavg';
  readonly summary = 'the mean of local models, weighted by their training rows';
  readonly formula = 'w + Σ (nᵢ/n) δᵢ';
  readonly paper = 'McMahan et al. 2017, arXiv 1602.05629';
  override readonly allowsNoise = true;

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const { delta, weights } = meanByRows(updates, context);
    return withoutFeedback(soleProposal(delta, weights), context.state);
  }
}
