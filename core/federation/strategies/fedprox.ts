import { z } from 'zod';
import { defineStrategy, meanByRows, soleProposal } from './strategy';

/**
 * FedProx (Li et al. 2020, arXiv 1812.06127): local training minimises Fᵢ(w) + (μ/2)‖w − w_global‖², so that devices with
 * unlike data don't drift apart; the server takes the mean as `fedavg` does. μ = 0 is `fedavg`.
 */
export const fedProx = defineStrategy('fedprox', {
  formula: 'local: min Fᵢ(w) + (μ/2)‖w − w_global‖²; server: w + Σ (nᵢ/n) δᵢ',
  paper: 'Li et al. 2020, arXiv 1812.06127',
  // The paper searches μ over 0.001 to 1; 0.1 is its middle.
  settings: z.strictObject({
    mu: z.number().min(0).max(10).default(0.1).describe('μ, the pull of local training to the global model'),
  }),
  proximal: ({ mu }) => mu,
  aggregate: (updates, context) => soleProposal(meanByRows(updates, context), context.state),
});
