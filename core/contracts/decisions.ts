import { z } from 'zod';

/** How a round can end with a result: `kept`, where the comparison was void or showed nothing. */
export const DECISIONS = ['promoted', 'rejected', 'kept'] as const;
export const decisionSchema = z.enum(DECISIONS);
export type Decision = z.infer<typeof decisionSchema>;
