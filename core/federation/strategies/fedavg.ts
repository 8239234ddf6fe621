import { z } from 'zod';
import { defineStrategy, meanByRows, soleProposal } from './strategy';

/**
 * Federated averaging (McMahan et al. 2017, arXiv 1602.05629): w ← w + Σ (nᵢ/n) δᵢ.
 * δᵢ [P] local − global weights, nᵢ training rows.
 */
export const fedAvg = defineStrategy('fedavg', {
  formula: 'w + Σ (nᵢ/n) δᵢ',
  paper: 'McMahan et al. 2017, arXiv 1602.05629',
  settings: z.strictObject({}),
  aggregate: (updates, context) => soleProposal(meanByRows(updates, context), context.state),
});
