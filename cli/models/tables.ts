import { type Query } from '../../core/warehouse/database/query';
import { queryWorker } from '../query/query-worker';
import { withFile } from '../query/query-file';
import { analyticsOf, findRunning } from '../system/running';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';
import { existingWarehouse } from '../query/warehouse-at-rest';

/** Work on the running system's tables, else on the latest run's file. */
export async function withTables<Result>(
  session: Session,
  work: (query: Query) => Promise<Result>,
): Promise<Result> {
  const analytics = await analyticsOf(await findRunning(session.folder), session.env);
  const answer =
    analytics === undefined ? withFile(await existingWarehouse(session), work) : work(queryWorker(analytics));
  return unlessAborted(answer, session.signal);
}
