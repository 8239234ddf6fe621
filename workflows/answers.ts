import { answerInputSchema } from '../core/contracts/control';
import { type FederatedRoundInput } from '../core/contracts/rounds';
import { type DecideResult } from '../core/contracts/steps';
import { parseInput } from './input';

/** What a person, or the clock, says to a candidate that the gate lets through. */
export interface Answer {
  readonly approved: boolean;
  readonly reason: string;
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
    reason: `${answer.reason}; the gate: ${verdict.reason}`,
  };
}

/** Who answered and why, as a person has said it. */
export function remarks(raw: unknown): string {
  const { by, reason } = parseInput(answerInputSchema, raw);
  return `${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`;
}
