import { BaseStrategy, soleProposal, withoutFeedback } from './base-strategy';
import { meanOfMiddle } from './coordinate-wise';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/**
 * Coordinate-wise median (Yin et al. 2018, arXiv 1803.01498): w ← w + median(δᵢ), each of P coordinates for itself; of an even number the
 * mean of the two in the middle. Ignores how many rows a device has.
 */
export class MedianStrategy extends BaseStrategy {
  readonly name = 'median';
  readonly summary =
    'the median of local models, coordinate by coordinate: holds against a minority of attackers';
  readonly formula = 'w + median(δᵢ)';
  readonly paper = 'Yin et al. 2018, arXiv 1803.01498';

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const { delta, weights } = meanOfMiddle(
      updates,
      context.base.length,
      Math.floor((updates.length - 1) / 2),
    );
    return withoutFeedback(soleProposal(delta, weights), context.state);
  }
}
