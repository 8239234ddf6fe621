import { type Lineage } from '../../contracts/deployments';
import { type Feedback } from '../../contracts/feedback';
import { type LoopParts } from '../../contracts/rounds';
import { MAX_BOUNDARY_WIDTH, MIN_BOUNDARY_WIDTH } from '../constants';
import { equivalentStddev } from '../equivalent-stddev';

/** What a round's training does because of the champion's live accuracy. */
export interface FeedbackEffects {
  /** Width of the band around the boundary in tolerances; null = all samples count alike. */
  readonly boundaryWidth: number | null;
  /** For the round's lineage: what was measured, and what it changed. */
  readonly used: Lineage['feedback_used'];
}

/**
 * Effort goes to samples near the boundary between right and wrong, in a band as wide as the champion typically errs, between
 * 0.3 and 1.5 tolerances. All samples count alike without feedback, with the part switched off, or where the champion errs by more.
 */
export function effectsOfFeedback(
  feedback: Feedback | null,
  parts: Pick<LoopParts, 'boundaryWeighting'>,
): FeedbackEffects {
  const alike = (reason: string, measured: Lineage['feedback_used']): FeedbackEffects => ({
    boundaryWidth: null,
    used: { ...measured, emphasis: `all samples alike: ${reason}` },
  });
  if (feedback === null) return alike('nothing was measured yet', { champion: null });
  const errorInTolerances = feedback.mae / feedback.tolerance;
  const measured = {
    champion: feedback.model_version,
    champion_accuracy: feedback.accuracy,
    champion_error_in_tolerances: errorInTolerances,
    champion_bias: feedback.bias,
    tendency: feedback.anomalies.tendency,
    weakest_regime: weakestRegime(feedback),
  };
  if (!parts.boundaryWeighting) return alike('boundary weighting is off', measured);
  const typicalError = Math.min(errorInTolerances, equivalentError(feedback));
  if (!(typicalError <= MAX_BOUNDARY_WIDTH)) return alike('the champion is far off everywhere', measured);
  const boundaryWidth = Math.max(typicalError, MIN_BOUNDARY_WIDTH);
  const emphasis = 'samples near the boundary between right and wrong';
  // The key keeps the name that earlier lineages have.
  return { boundaryWidth, used: { ...measured, emphasis, edge_width: boundaryWidth } };
}

/**
 * Mean absolute error, in tolerances, of normal errors that are within the tolerance as often as the champion's: σ · √(2/π). A few sensors that jump, or one with
 * readings of 1e147, move the mean as far as they like, and this hardly; without them the two are alike.
 */
function equivalentError({ n, n_correct: correct }: Feedback): number {
  return (equivalentStddev({ rows: n, correct }) ?? Number.POSITIVE_INFINITY) * Math.sqrt(2 / Math.PI);
}

/** The regime in which the version was least accurate, in words; null where none was measured. */
function weakestRegime({ by_regime }: Feedback): string | null {
  let weakest: { readonly name: string; readonly accuracy: number } | null = null;
  for (const [name, { accuracy }] of Object.entries(by_regime)) {
    if (accuracy !== null && (weakest === null || accuracy < weakest.accuracy)) weakest = { name, accuracy };
  }
  return weakest === null ? null : `${weakest.name} (${(100 * weakest.accuracy).toFixed(1)} %)`;
}
