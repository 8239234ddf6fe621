import { z } from 'zod';

/** How a round can end with a result: `kept`, where the comparison was void or showed nothing. */
export const DECISIONS = ['promoted', 'rejected', 'kept'] as const;
export const decisionSchema = z.enum(DECISIONS);
export type Decision = z.infer<typeof decisionSchema>;

/**
 * What the live windows of a round showed of its candidate: `better` than the champion, `no worse` than the margin, `worse`, or neither, `not shown`. The
 * `first trained` version has only the untrained one and persistence to beat. None is promoted `under persistence`, or on `too few windows`.
 */
export const FINDINGS = [
  'better',
  'no worse',
  'first trained',
  'not shown',
  'worse',
  'under persistence',
  'too few windows',
] as const;
export const findingSchema = z.enum(FINDINGS);
export type Finding = z.infer<typeof findingSchema>;

/** A decision with its reason in two words, `promoted: no worse`; rounds of earlier releases have the decision alone. */
export function decisionInWords({
  decision,
  finding,
}: {
  readonly decision: Decision;
  readonly finding?: Finding | null | undefined;
}): string {
  return finding == null ? decision : `${decision}: ${finding}`;
}
