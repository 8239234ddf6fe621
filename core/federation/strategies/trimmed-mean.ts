import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { meanOfMiddle } from './coordinate-wise';
import { defineStrategy, soleProposal } from './strategy';

/**
 * Coordinate-wise trimmed mean (Yin et al. 2018, arXiv 1803.01498): of n values a coordinate, ⌊βn⌋ at either end are dropped and the
 * rest is averaged. β < ½. Ignores how many rows a device has.
 */
export const trimmedMean = defineStrategy('trimmed-mean', {
  formula: 'w + mean of δᵢ between the ⌊βn⌋ smallest and largest',
  paper: 'Yin et al. 2018, arXiv 1803.01498',
  settings: z.strictObject({
    beta: z.number().min(0).lt(0.5).default(0.2).describe('β, the share that is dropped at either end'),
  }),
  aggregate(updates, { base, state }, { beta }) {
    const trim = Math.floor(beta * updates.length);
    if (2 * trim >= updates.length) {
      const message = `trimmed-mean has nothing left of ${updates.length} updates without ${trim} at either end`;
      throw new FedloopError('TooFewUpdates', message);
    }
    return soleProposal(meanOfMiddle(updates, base.length, trim), state);
  },
});
