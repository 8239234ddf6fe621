import { z } from 'zod';
import { whole } from '../shared/format';

/** Result of `batchAnalytics` (`BatchResult`). */
export const batchResultSchema = z.object({
  files: z.object({ counted: z.number(), unchanged: z.number(), removed: z.number() }),
  rows: z.number(),
  rejectedRows: z.number(),
  results: z.number(),
  seconds: z.number(),
});
export type BatchFigures = z.infer<typeof batchResultSchema>;

/** `7 files, 868,927 rows → 65,000 daily figures; 3 broken rows (see rejected_rows)`. */
export function describeBatch(batch: BatchFigures): string {
  const files = `${whole(batch.files.counted)} files counted, ${whole(batch.files.unchanged)} unchanged`;
  const broken =
    batch.rejectedRows === 0 ? '' : `; ${whole(batch.rejectedRows)} broken rows are listed in rejected_rows`;
  return `${files}, ${whole(batch.rows)} rows, ${whole(batch.results)} daily figures${broken}`;
}
