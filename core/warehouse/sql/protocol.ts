import { z } from 'zod';

/** What a reader and the process that asks it say to each other. A request is a line of JSON; so is the head of a reply, and its body follows. */

export const requestSchema = z.object({ sql: z.string(), maxRows: z.int().positive() });
export type ReaderRequest = z.infer<typeof requestSchema>;

/** `answered`: the body is the answer's JSON. `refused`, `failed`: it is one sentence. */
export const replyHeadSchema = z.object({
  outcome: z.enum(['answered', 'refused', 'failed']),
  bytes: z.int().nonnegative(),
});
export type ReplyHead = z.infer<typeof replyHeadSchema>;

/** The reader's word for a file that nobody writes. */
export const AT_REST = 'at-rest';
