import { type CandidateRole, type NetworkRole } from '../../contracts/deployments';
import {
  EVIDENCE_MIN_ROUNDS,
  EVIDENCE_ROUNDS,
  EVIDENCE_SLACK,
  EVIDENCE_THRESHOLD,
  EVIDENCE_WINSOR,
  EVIDENCE_WINSOR_FLOOR,
} from '../constants';
import { mean, median } from '../vectors';

export interface Election<Role extends CandidateRole> {
  readonly elected: Role;
  readonly reason: string;
}

/** Which of the two networks serves, by responsive − steady. */
export function electNetwork(evidence: readonly number[]): Election<NetworkRole> {
  const { isShown, reason } = weigh(evidence, 'responsive − steady');
  return { elected: isShown ? 'responsive' : 'steady', reason };
}

/** Whether the linear model serves in place of the elected network, by linear − network. */
export function electLinear<Network extends NetworkRole>(
  network: Network,
  evidence: readonly number[],
): Election<Network | 'linear'> {
  const { isShown, reason } = weigh(evidence, 'linear − network');
  return { elected: isShown ? 'linear' : network, reason };
}

/**
 * Whether one candidate is better than another. Evidence E of a past round = accuracy of the one − the other on the same later live
 * windows, oldest first; the last four count, each at most twice the median |E|. It is shown when there are at least
 * two rounds, the mean of E is above 0 and mean/(sd/√n + 0.001) of the winsorised E is above 1. On one wall clock a whole fleet's
 * windows are but a few samples of weather: without this rule the responsive candidate loses 9 points there.
 */
function weigh(
  evidence: readonly number[],
  what: string,
): { readonly isShown: boolean; readonly reason: string } {
  const last = evidence.slice(-EVIDENCE_ROUNDS);
  const rounds = last.length;
  if (rounds < EVIDENCE_MIN_ROUNDS)
    return { isShown: false, reason: `${rounds} of ${EVIDENCE_MIN_ROUNDS} rounds of evidence` };
  const bound = EVIDENCE_WINSOR * median(last.map(Math.abs)) + EVIDENCE_WINSOR_FLOOR;
  const winsorised = last.map((value) => Math.min(Math.max(value, -bound), bound));
  const centre = mean(winsorised);
  const deviation = Math.sqrt(mean(winsorised.map((value) => (value - centre) ** 2)));
  const strength = centre / (deviation / Math.sqrt(rounds) + EVIDENCE_SLACK);
  const points = (100 * mean(last)).toFixed(2);
  return {
    isShown: mean(last) > 0 && strength > EVIDENCE_THRESHOLD,
    reason: `${what} was ${points} points over ${rounds} rounds (strength ${strength.toFixed(2)}, needs ${EVIDENCE_THRESHOLD})`,
  };
}
