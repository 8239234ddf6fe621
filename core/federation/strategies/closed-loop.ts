import { SOFTMAX_TEMPERATURE, STEADY_SLACK } from '../constants';
import { median, normalised, softmax, weightedSum } from '../vectors';
import { BaseStrategy } from './base-strategy';
import { type Aggregation, type AggregationContext, type LocalUpdate, type Proposal } from './strategy';

/**
 * The platform's own: two candidates from what local models are really worth on readings of devices that did not train. With rᵢ their real
 * accuracy (0 to 1) on panel A and δᵢ [P] their steps,
 * steady: w + mean of the δᵢ with rᵢ ≥ median − 0.06, over 24 windows; responsive: w + Σ softmax(rᵢ/0.01) δᵢ, over the last 6.
 * Their output layers are then refitted from the sites' sums (refit.ts), accepted on panel B and, where asked, gated on panel C (settle.ts); the
 * evidence of past rounds elects between the two (evidence.ts).
 */
export class ClosedLoop extends BaseStrategy {
  readonly name = 'closed-loop';
  readonly summary =
    'a steady and a responsive candidate from real accuracy on devices that did not train (default)';
  readonly formula =
    'steady: mean of δᵢ with rᵢ ≥ median − 0.06; responsive: Σ softmax(rᵢ/0.01) δᵢ; output layers refitted';
  readonly paper = null;
  override readonly needsRealAccuracy = true;
  override readonly keepsState = true;

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const real = context.parts.realWeights ? context.realAccuracy : null;
    const long = updates.map((_, index) => real?.[index]?.long ?? null);
    const recent = updates.map((_, index) => real?.[index]?.recent ?? null);
    const parameters = context.base.length;
    const steady = steadyProposal(updates, long, parameters);
    const responsive = responsiveProposal(updates, recent, parameters);
    return {
      proposals: [steady, responsive],
      state: { ...context.state, steps: context.state.steps + 1 },
      feedbackUsed: {
        real_weights: real !== null,
        local_models_dropped: steady.leftOut.filter((reason) => reason !== null).length,
        effective_local_models: 1 / responsive.weights.reduce((sum, weight) => sum + weight * weight, 0),
      },
    };
  }
}

/** Which local models a plain mean may hold: real accuracy at least median − 0.06. Unscored ones stay; without any score all do. */
export function keptByRealAccuracy(accuracies: readonly (number | null)[]): boolean[] {
  const known = accuracies.filter((accuracy) => accuracy !== null);
  const least = known.length === 0 ? 0 : median(known) - STEADY_SLACK;
  return accuracies.map((accuracy) => accuracy === null || accuracy >= least);
}

/** The steady candidate's step [P]. */
export function steadyProposal(
  updates: readonly LocalUpdate[],
  accuracies: readonly (number | null)[],
  parameters: number,
): Proposal {
  const kept = keptByRealAccuracy(accuracies);
  const weights = normalised(kept.map(Number));
  return {
    role: 'steady',
    delta: weightedSum(
      updates.map(({ delta }) => delta),
      weights,
      parameters,
    ),
    weights,
    leftOut: kept.map((isKept) => (isKept ? null : 'worse-than-median')),
  };
}

/**
 * The responsive candidate's step [P] before its refit. An unscored model counts as the median one; where none was scored (or real weights
 * are switched off) weights are self-reported accuracies, as in `open-loop`.
 */
export function responsiveProposal(
  updates: readonly LocalUpdate[],
  accuracies: readonly (number | null)[],
  parameters: number,
): Proposal {
  const known = accuracies.filter((accuracy) => accuracy !== null);
  const typical = median(known);
  const weights =
    known.length === 0
      ? normalised(updates.map(({ selfReportedAccuracy }) => Math.max(selfReportedAccuracy, 0)))
      : softmax(
          accuracies.map((accuracy) => accuracy ?? typical),
          SOFTMAX_TEMPERATURE,
        );
  return {
    role: 'responsive',
    delta: weightedSum(
      updates.map(({ delta }) => delta),
      weights,
      parameters,
    ),
    weights,
    leftOut: updates.map(() => null),
  };
}
