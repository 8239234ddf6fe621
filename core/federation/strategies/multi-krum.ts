import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { type StrategyName } from '../../contracts/strategies';
import { MAX_KRUM_UPDATES } from '../constants';
import { squaredDistance, weightedSum } from '../vectors';
import { defineStrategy, soleProposal, type LocalUpdate } from './strategy';

/**
 * Multi-Krum (Blanchard et al. 2017, "Machine Learning with Adversaries", NeurIPS), in n² P steps: an update's score is the sum of squared
 * distances to its n − f − 2 nearest others; the m with the lowest scores are averaged. Bears f attackers when n ≥ 2f + 3.
 */
export const multiKrum = defineStrategy('multi-krum', {
  formula: 'w + mean of the m δᵢ with the least Σ ‖δᵢ − δⱼ‖² over their n − f − 2 nearest',
  paper: 'Blanchard et al. 2017, NeurIPS',
  settings: z.strictObject({
    f: z.int().min(-1).default(-1).describe('f, attackers to bear; −1: as many as n allows'),
    m: z.int().min(0).default(0).describe('m, updates that are averaged; 0: n − f'),
  }),
  aggregate(updates, { base, state }, { f, m }) {
    const count = updates.length;
    const attackers = attackersToBear('multi-krum', f, { count, perAttacker: 2 });
    const chosenCount = m === 0 ? count - attackers : Math.min(m, count);
    const scores = krumScores(updates, count - attackers - 2);
    const byScore = [...scores.keys()].sort(
      (one, other) => (scores[one] ?? NaN) - (scores[other] ?? NaN) || one - other,
    );
    const chosen = new Set(byScore.slice(0, chosenCount));
    const weights = Float64Array.from(updates, (_, index) => (chosen.has(index) ? 1 / chosenCount : 0));
    return soleProposal(
      { delta: weightedSum(updates, weights, base.length), weights },
      state,
      updates.map((_, index) => (chosen.has(index) ? null : 'not-chosen')),
    );
  },
});

/**
 * How many attackers a strategy that compares updates pair by pair is to bear.
 * @param f as its setting has it: −1 = as many as the updates allow
 * @param updates `count` of them; it needs `perAttacker` · f + 3
 * @throws FedloopError `TooFewUpdates` for fewer than that, `InvalidInput` for more than can be compared.
 */
export function attackersToBear(
  strategy: StrategyName,
  f: number,
  { count, perAttacker }: { readonly count: number; readonly perAttacker: number },
): number {
  const attackers = f === -1 ? Math.max(0, Math.floor((count - 3) / perAttacker)) : f;
  const needed = perAttacker * attackers + 3;
  if (count < needed) {
    const message = `${strategy} needs ${perAttacker}f + 3 = ${needed} updates to bear f = ${attackers} attackers, but has ${count}`;
    throw new FedloopError('TooFewUpdates', message);
  }
  if (count <= MAX_KRUM_UPDATES) return attackers;
  const message = `strategy: ${strategy} compares every pair; it takes at most ${MAX_KRUM_UPDATES} updates, not ${count}`;
  throw new FedloopError('InvalidInput', message);
}

/** Sum of squared distances to the `nearest` nearest others, one an update. */
export function krumScores(updates: readonly LocalUpdate[], nearest: number): Float64Array {
  return Float64Array.from(distancesOf(updates), (row) => {
    // The smallest entry of a row is its distance to itself.
    const sorted = row.slice().sort();
    return sorted.subarray(1, 1 + nearest).reduce((sum, distance) => sum + distance, 0);
  });
}

/** Squared distances of every pair [n][n]. */
export function distancesOf(updates: readonly LocalUpdate[]): readonly Float64Array[] {
  const distances = updates.map(() => new Float64Array(updates.length));
  updates.forEach((one, i) => {
    for (let j = i + 1; j < updates.length; j += 1) {
      const other = updates[j];
      const row = distances[i];
      const column = distances[j];
      if (other === undefined || row === undefined || column === undefined) continue;
      row[j] = squaredDistance(one.delta, other.delta);
      column[i] = row[j] ?? NaN;
    }
  });
  return distances;
}
