import { z } from 'zod';

/** What a run over a folder of readings came to. */
export const batchResultSchema = z.object({
  files: z.object({ counted: z.int(), unchanged: z.int(), removed: z.int() }),
  rows: z.int(),
  rejectedRows: z.int(),
  results: z.int(),
  seconds: z.number(),
});
export type BatchResult = Readonly<z.infer<typeof batchResultSchema>>;
