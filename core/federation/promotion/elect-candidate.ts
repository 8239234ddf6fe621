import { type CandidateRole } from '../../contracts/deployments';
import {
  EVIDENCE_MIN_ROUNDS,
  EVIDENCE_ROUNDS,
  EVIDENCE_SLACK,
  EVIDENCE_THRESHOLD,
  EVIDENCE_WINSOR,
  EVIDENCE_WINSOR_FLOOR,
} from '../constants';
import { mean, median } from '../vectors';

export interface Election {
  readonly elected: CandidateRole;
  readonly reason: string;
}

/**
 * Which candidate serves. Evidence E of a past round = accuracy of its responsive − its steady candidate on the same later live
 * windows, oldest first; the last four count, each at most twice the median |E|. The responsive one serves when there are at least
 * two rounds, the mean of E is above 0 and mean/(sd/√n + 0.001) of the winsorised E is above 1. On one wall clock a whole fleet's
 * windows are but a few samples of weather: without this rule the responsive candidate loses 9 points there.
 */
export function electCandidate(evidence: readonly number[]): Election {
  const last = evidence.slice(-EVIDENCE_ROUNDS);
  const rounds = last.length;
  if (rounds < EVIDENCE_MIN_ROUNDS)
    return { elected: 'steady', reason: `${rounds} of ${EVIDENCE_MIN_ROUNDS} rounds of evidence` };
  const bound = EVIDENCE_WINSOR * median(last.map(Math.abs)) + EVIDENCE_WINSOR_FLOOR;
  const winsorised = last.map((value) => Math.min(Math.max(value, -bound), bound));
  const centre = mean(winsorised);
  const deviation = Math.sqrt(mean(winsorised.map((value) => (value - centre) ** 2)));
  const strength = centre / (deviation / Math.sqrt(rounds) + EVIDENCE_SLACK);
  const responsive = mean(last) > 0 && strength > EVIDENCE_THRESHOLD;
  const points = (100 * mean(last)).toFixed(2);
  return {
    elected: responsive ? 'responsive' : 'steady',
    reason: `responsive − steady was ${points} points over ${rounds} rounds (strength ${strength.toFixed(2)}, needs ${EVIDENCE_THRESHOLD})`,
  };
}
