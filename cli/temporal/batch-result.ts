import { type BatchResult } from '../../core/contracts/batch-result';
import { whole } from '../shared/format';

/** `7 files, 868,927 rows → 65,000 daily figures; 3 broken rows (see rejected_rows)`. */
export function describeBatch(batch: BatchResult): string {
  const files = `${whole(batch.files.counted)} files counted, ${whole(batch.files.unchanged)} unchanged`;
  const broken =
    batch.rejectedRows === 0 ? '' : `; ${whole(batch.rejectedRows)} broken rows are listed in rejected_rows`;
  return `${files}, ${whole(batch.rows)} rows, ${whole(batch.results)} daily figures${broken}`;
}
