import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { BaseStrategy, settingOf, soleProposal, withoutFeedback } from './base-strategy';
import { meanOfMiddle } from './coordinate-wise';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/**
 * Coordinate-wise trimmed mean (Yin et al. 2018, arXiv 1803.01498): of n values a coordinate, ⌊βn⌋ at either end are dropped and the
 * rest is averaged. β < ½. Ignores how many rows a device has.
 */
export class TrimmedMean extends BaseStrategy {
  readonly name = 'trimmed-mean';
  readonly summary = 'the mean of local models without the share β at either end, coordinate by coordinate';
  readonly formula = 'w + mean of δᵢ between the ⌊βn⌋ smallest and largest';
  readonly paper = 'Yin et al. 2018, arXiv 1803.01498';
  override readonly settings = z.strictObject({ beta: z.number().min(0).lt(0.5).default(0.2) });

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const trim = Math.floor(settingOf(context, 'beta') * updates.length);
    if (2 * trim >= updates.length) {
      throw new FedloopError(
        'TooFewUpdates',
        `trimmed-mean has nothing left of ${updates.length} updates without ${trim} at either end`,
      );
    }
    const { delta, weights } = meanOfMiddle(updates, context.base.length, trim);
    return withoutFeedback(soleProposal(delta, weights), context.state);
  }
}
