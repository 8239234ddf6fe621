import { z } from 'zod';
import { plus, times, weightedSum } from '../vectors';
import { type ServerState } from './server-state';
import { type FlatWeights } from '../../model/types';
import { defineStrategy, soleProposal } from './strategy';

/** Name of c in the server's state. */
const CONTROL = 'control';

/**
 * SCAFFOLD (Karimireddy et al. 2020, arXiv 1910.06378): devices with other readings pull elsewhere, and many local steps add that up. Each gradient
 * of local training is corrected by c − cᵢ, what all devices pull less what this one does (training/control-variates.ts). With τᵢ local steps of
 * length η, n devices of N: w ← w + η_g mean δᵢ, c ← c + Σ (−c − δᵢ/(τᵢ η)) / N. c starts at 0 and is kept across rounds and restarts.
 */
export const scaffold = defineStrategy('scaffold', {
  formula: 'local: gradients + c − cᵢ; server: w + η_g mean δᵢ; c ← c + Σ (−c − δᵢ/(τᵢ η)) / N',
  paper: 'Karimireddy et al. 2020, arXiv 1910.06378',
  settings: z.strictObject({
    eta: z.number().positive().max(10).default(1).describe('η_g, the server’s learning rate'),
  }),
  aggregate(updates, { base, fleetDevices, learningRate, localSteps, state }, { eta }) {
    const devices = Math.max(fleetDevices, updates.length);
    const weights = new Float64Array(updates.length).fill(1 / updates.length);
    const pulls = updates.map(({ rows }) => -1 / (Math.max(1, localSteps(rows)) * learningRate * devices));
    const learned = weightedSum(updates, pulls, base.length);
    const before = controlOf(state, base.length);
    const control = before === null ? learned : plus(times(before, 1 - updates.length / devices), learned);
    const next = { ...state, steps: state.steps + 1, vectors: { [CONTROL]: control } };
    return soleProposal({ delta: times(weightedSum(updates, weights, base.length), eta), weights }, next);
  },
});

/** c [P]; null where the state belongs to another strategy, or to a network of another size. */
export function controlOf(state: ServerState, parameters: number): FlatWeights | null {
  const control = state.vectors[CONTROL];
  return state.strategy === scaffold.name && control?.length === parameters ? control : null;
}
