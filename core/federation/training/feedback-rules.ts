import { type Lineage } from '../../contracts/deployments';
import { type Feedback } from '../../contracts/feedback';
import { type LoopParts } from '../../contracts/rounds';
import { MAX_BOUNDARY_WIDTH, MIN_BOUNDARY_WIDTH } from '../constants';

/** What a round's training does because of the champion's live accuracy. */
export interface FeedbackEffects {
  /** Width of the band around the boundary in tolerances; null = all samples count alike. */
  readonly boundaryWidth: number | null;
  /** For the round's lineage: what was measured, and what it changed. */
  readonly used: Lineage['feedback_used'];
}

/**
 * From the champion's live verdict to what local training does: effort goes to samples near the boundary between right and wrong, in a band as
 * wide as the champion's real mean absolute error, between 0.3 and 1.5 tolerances. Without feedback (first round), with the part switched off, or
 * with a champion that errs by more than 1.5 tolerances, all samples count alike.
 */
export function effectsOfFeedback(
  feedback: Feedback | null,
  parts: Pick<LoopParts, 'boundaryWeighting'>,
): FeedbackEffects {
  if (feedback === null)
    return {
      boundaryWidth: null,
      used: { champion: null, emphasis: 'all samples alike: nothing was measured yet' },
    };
  const errorInTolerances = feedback.mae / feedback.tolerance;
  const measured = {
    champion: feedback.model_version,
    champion_accuracy: feedback.accuracy,
    champion_error_in_tolerances: errorInTolerances,
    champion_bias: feedback.bias,
    tendency: feedback.anomalies.tendency,
    weakest_regime: weakestRegime(feedback),
  };
  const alike = (reason: string): FeedbackEffects => ({
    boundaryWidth: null,
    used: { ...measured, emphasis: `all samples alike: ${reason}` },
  });
  if (!parts.boundaryWeighting) return alike('boundary weighting is off');
  if (!(errorInTolerances <= MAX_BOUNDARY_WIDTH)) return alike('the champion is far off everywhere');
  const boundaryWidth = Math.max(errorInTolerances, MIN_BOUNDARY_WIDTH);
  const emphasis = 'samples near the boundary between right and wrong';
  // The key keeps the name that earlier lineages have.
  return { boundaryWidth, used: { ...measured, emphasis, edge_width: boundaryWidth } };
}

/** The regime in which the version was least accurate, in words; null where none was measured. */
function weakestRegime({ by_regime }: Feedback): string | null {
  let weakest: { readonly name: string; readonly accuracy: number } | null = null;
  for (const [name, { accuracy }] of Object.entries(by_regime)) {
    if (accuracy !== null && (weakest === null || accuracy < weakest.accuracy)) weakest = { name, accuracy };
  }
  return weakest === null ? null : `${weakest.name} (${(100 * weakest.accuracy).toFixed(1)} %)`;
}
