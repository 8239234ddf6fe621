import { z } from 'zod';
import { SOFTMAX_TEMPERATURE, STEADY_SLACK } from '../constants';
import { median, normalised, softmax, weightedSum } from '../vectors';
import { defineStrategy, weightsByReport, type LocalUpdate, type Proposal } from './strategy';

/**
 * The platform's own: two candidates from the real accuracy of local models on readings of devices that did not train. With rᵢ that
 * accuracy (0 to 1) on panel A and δᵢ [P] the local steps,
 * steady: w + mean of the δᵢ with rᵢ ≥ median − 0.06, over 24 windows; responsive: w + Σ softmax(rᵢ/0.01) δᵢ, over the last 6.
 * The sites' sums then refit the output layers (panels/refit.ts). Panel B accepts a refit, and panel C gates where that
 * part is on (panels/choose-candidates.ts). The evidence of past rounds elects between the two (promotion/elect-candidate.ts).
 */
export const closedLoop = defineStrategy('closed-loop', {
  formula:
    'steady: mean of δᵢ with rᵢ ≥ median − 0.06; responsive: Σ softmax(rᵢ/0.01) δᵢ; output layers refitted',
  paper: null,
  settings: z.strictObject({}),
  aggregate(updates, { base, parts, realAccuracy, state }) {
    const real = parts.realWeights ? realAccuracy : null;
    const long = updates.map((_, index) => real?.[index]?.long ?? null);
    const recent = updates.map((_, index) => real?.[index]?.recent ?? null);
    const steady = steadyProposal(updates, long, base.length);
    const responsive = responsiveProposal(updates, recent, base.length);
    return {
      proposals: [steady, responsive],
      state: { ...state, steps: state.steps + 1 },
      feedbackUsed: {
        real_weights: real !== null,
        local_models_dropped: steady.leftOut.filter((reason) => reason !== null).length,
        effective_local_models: 1 / responsive.weights.reduce((sum, weight) => sum + weight * weight, 0),
      },
    };
  },
});

/** Which local models the steady mean keeps: real accuracy at least median − 0.06. A model without a score stays. */
export function keptByRealAccuracy(accuracies: readonly (number | null)[]): boolean[] {
  const known = accuracies.filter((accuracy) => accuracy !== null);
  const lowest = known.length === 0 ? 0 : median(known) - STEADY_SLACK;
  return accuracies.map((accuracy) => accuracy === null || accuracy >= lowest);
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
    delta: weightedSum(updates, weights, parameters),
    weights,
    leftOut: kept.map((isKept) => (isKept ? null : 'worse-than-median')),
  };
}

/**
 * The responsive candidate's step [P] before its refit. A model without a score counts as the median one. Where none was scored (or real
 * weights are switched off) weights are self-reported accuracies, as in `open-loop`.
 */
export function responsiveProposal(
  updates: readonly LocalUpdate[],
  accuracies: readonly (number | null)[],
  parameters: number,
): Proposal {
  const known = accuracies.filter((accuracy) => accuracy !== null);
  const typical = median(known);
  const scores = accuracies.map((accuracy) => accuracy ?? typical);
  const weights = known.length === 0 ? weightsByReport(updates) : softmax(scores, SOFTMAX_TEMPERATURE);
  return {
    role: 'responsive',
    delta: weightedSum(updates, weights, parameters),
    weights,
    leftOut: updates.map(() => null),
  };
}
