import { type Lineage } from '../../contracts/deployments';
import { type Feedback } from '../../contracts/feedback';
import { type LoopParts } from '../../contracts/rounds';
import { LEAST_EDGE_WIDTH, MOST_EDGE_WIDTH } from '../constants';

/** What a round's training does because of what the live stream said of the champion. */
export interface FeedbackEffects {
  /** Width of the edge band in tolerances; null = all samples count alike. */
  readonly edgeWidth: number | null;
  /** For the round's lineage: what was said, and what it changed. */
  readonly used: Lineage['feedback_used'];
}

/**
 * From the champion's live verdict to what local training does: effort goes to samples near the edge between right and wrong, in a band as wide as
 * the champion's real mean absolute error, between 0.3 and 1.5 tolerances. Without feedback (first round), with the part switched off, or with a
 * champion that errs by more than 1.5 tolerances, all samples count alike.
 */
export function effectsOfFeedback(
  feedback: Feedback | null,
  parts: Pick<LoopParts, 'edgeWeights'>,
): FeedbackEffects {
  if (feedback === null)
    return {
      edgeWidth: null,
      used: { champion: null, emphasis: 'all samples alike: nothing was measured yet' },
    };
  const errorInTolerances = feedback.mae / feedback.tolerance;
  const said = {
    champion: feedback.model_version,
    champion_accuracy: feedback.accuracy,
    champion_error_in_tolerances: errorInTolerances,
    champion_bias: feedback.bias,
    tendency: feedback.anomalies.tendency,
    weakest_regime: weakestRegime(feedback),
  };
  if (!parts.edgeWeights)
    return { edgeWidth: null, used: { ...said, emphasis: 'all samples alike: edge weights are off' } };
  if (!(errorInTolerances <= MOST_EDGE_WIDTH)) {
    return {
      edgeWidth: null,
      used: { ...said, emphasis: 'all samples alike: the champion is far off everywhere' },
    };
  }
  const edgeWidth = Math.max(errorInTolerances, LEAST_EDGE_WIDTH);
  return {
    edgeWidth,
    used: { ...said, emphasis: 'samples near the edge between right and wrong', edge_width: edgeWidth },
  };
}

/** The regime in which the version was least accurate, in words; null where none was measured. */
function weakestRegime({ by_regime }: Feedback): string | null {
  let weakest: { readonly name: string; readonly accuracy: number } | null = null;
  for (const [name, { accuracy }] of Object.entries(by_regime)) {
    if (accuracy !== null && (weakest === null || accuracy < weakest.accuracy)) weakest = { name, accuracy };
  }
  return weakest === null ? null : `${weakest.name} (${(100 * weakest.accuracy).toFixed(1)} %)`;
}
