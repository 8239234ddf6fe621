import { z } from 'zod';
import { meanOfMiddle } from './coordinate-wise';
import { defineStrategy, soleProposal } from './strategy';

/**
 * Coordinate-wise median (Yin et al. 2018, arXiv 1803.01498): w ← w + median(δᵢ), each of P coordinates for itself; of an even number the
 * mean of the two in the middle. Ignores how many rows a device has.
 */
export const median = defineStrategy('median', {
  formula: 'w + median(δᵢ)',
  paper: 'Yin et al. 2018, arXiv 1803.01498',
  settings: z.strictObject({}),
  aggregate(updates, { base, state }) {
    const trim = Math.floor((updates.length - 1) / 2);
    return soleProposal(meanOfMiddle(updates, base.length, trim), state);
  },
});
