import { type Ask } from '../../core/warehouse/ask';
import { askWorker } from '../ask';
import { withFile } from '../ask-file';
import { findRunning } from '../running';
import { type Session } from '../session';
import { unlessAborted } from '../wait';
import { existingWarehouse } from '../warehouse-at-rest';

/** Ask the running system's tables, else the latest run's file, until `work` is done. */
export async function withTables<Result>(
  session: Session,
  work: (ask: Ask) => Promise<Result>,
): Promise<Result> {
  const running = await findRunning(session.folder);
  const analytics = running?.workers.find(({ role }) => role === 'analytics');
  const answer =
    analytics === undefined
      ? withFile(await existingWarehouse(session), work)
      : work(askWorker(analytics.url));
  return unlessAborted(answer, session.signal);
}
