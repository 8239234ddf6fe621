import { answerInputSchema } from '../core/contracts/control';
import { type VersionId } from '../core/contracts/ids';
import { type FederatedRoundInput } from '../core/contracts/rounds';
import { type DecideResult } from '../core/contracts/steps';
import { parseInput } from './input';

/** What a person, or the clock, says to a candidate that the gate lets through. */
export interface Answer {
  readonly approved: boolean;
  readonly reason: string;
}

/** An answer that a round has taken. One that is paused goes on with it once it is resumed. */
export interface TakenAnswer extends Answer {
  readonly isPaused: boolean;
}

/**
 * What is said to who answered: what comes of it.
 * @param champion that the candidate was compared with. Whoever has taken its place since stays.
 */
export function acknowledge({ approved, isPaused }: TakenAnswer, champion: VersionId | null): string {
  if (!approved)
    return `Rejected: the champion stays${isPaused ? '; the round is paused, and ends once it is resumed' : ''}.`;
  const resumed = isPaused ? ' once the round is resumed, which is paused,' : '';
  return `Approved: the candidate is promoted${resumed} if ${champion ?? 'the champion'} still serves then.`;
}

/** The answer that the round's input gives when no person has answered in time. */
export function defaultAnswer({ approvalTimeout, approvalDefault }: FederatedRoundInput): Answer {
  return {
    approved: approvalDefault === 'approve',
    reason: `nobody answered within ${approvalTimeout}, and the default is to ${approvalDefault}`,
  };
}

/** The gate's verdict stands when there is no answer, because the round no longer asks for one. */
export function withAnswer(verdict: DecideResult, answer: Answer | null): DecideResult {
  if (answer === null) return verdict;
  return {
    decision: answer.approved ? verdict.decision : 'rejected',
    finding: answer.approved ? (verdict.finding ?? null) : null,
    reason: `${answer.reason}; the gate: ${verdict.reason}`,
  };
}

/** Who answered and why, as a person has said it. */
export function remarks(raw: unknown): string {
  const { by, reason } = parseInput(answerInputSchema, raw);
  return `${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`;
}
