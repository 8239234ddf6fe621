import { z } from 'zod';
import { type FlatWeights } from '../../model/types';
import { BaseStrategy, meanByRows, settingOf, soleProposal, withoutFeedback } from './base-strategy';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/** Settings of the server optimisers. */
interface AdaptiveDefaults {
  readonly eta: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly tau: number;
  /** Every coordinate of v before the first step. */
  readonly v0: number;
}

export function adaptiveSettings(defaults: AdaptiveDefaults): z.ZodType<Readonly<Record<string, number>>> {
  return z.strictObject({
    eta: z.number().positive().max(10).default(defaults.eta),
    beta1: z.number().min(0).lt(1).default(defaults.beta1),
    beta2: z.number().min(0).lt(1).default(defaults.beta2),
    tau: z.number().positive().max(10).default(defaults.tau),
    v0: z.number().min(0).max(10).default(defaults.v0),
  });
}

/**
 * Server optimisers of Reddi et al. 2021 (arXiv 2003.00295, algorithm 2): with Δ = Σ (nᵢ/n) δᵢ [P],
 * m ← β₁m + (1 − β₁)Δ, v by the subclass, w ← w + η m/(√v + τ). m starts at 0, v at the setting `v0`; there is no bias correction,
 * as in the paper. m, v and the number of steps are kept across rounds and restarts.
 */
export abstract class AdaptiveStrategy extends BaseStrategy {
  readonly paper = 'Reddi et al. 2021, arXiv 2003.00295';
  override readonly keepsState = true;
  override readonly allowsNoise = true;

  /** New v of one coordinate from the old one and Δ². */
  protected abstract secondMoment(before: number, square: number, beta2: number): number;

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const { delta: change, weights } = meanByRows(updates, context);
    const { vectors, steps } = context.state;
    const [eta, beta1, beta2, tau, v0] = ['eta', 'beta1', 'beta2', 'tau', 'v0'].map((name) =>
      settingOf(context, name),
    ) as [number, number, number, number, number];
    const beforeM = vectors['m'] ?? new Float32Array(change.length);
    const beforeV = vectors['v'] ?? new Float32Array(change.length).fill(v0);
    const m: FlatWeights = change.map((value, at) => beta1 * (beforeM[at] ?? NaN) + (1 - beta1) * value);
    const v: FlatWeights = change.map((value, at) =>
      this.secondMoment(beforeV[at] ?? NaN, value * value, beta2),
    );
    const delta: FlatWeights = m.map((value, at) => (eta * value) / (Math.sqrt(v[at] ?? NaN) + tau));
    return withoutFeedback(soleProposal(delta, weights), {
      ...context.state,
      steps: steps + 1,
      vectors: { m, v },
    });
  }
}
