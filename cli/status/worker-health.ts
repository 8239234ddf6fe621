import { HEALTHY } from '../../core/platform/http';
import { LIMITS } from '../shared/limits';
import { type RunningSystem } from '../system/running';

/** A worker that is alive and waits for something outside of itself. */
export interface WaitingWorker {
  readonly role: string;
  /** What it waits for, in its own words. */
  readonly why: string;
}

/** What `/healthz` of the workers says where that is not `ok`. A worker that does not answer is not among them: its process is shown. */
export async function readWaitingWorkers(
  { workers }: Pick<RunningSystem, 'workers'>,
  ask: typeof fetch = fetch,
): Promise<readonly WaitingWorker[]> {
  const asked = workers.map(async ({ role, url }): Promise<readonly WaitingWorker[]> => {
    try {
      const answer = await ask(`${url}/healthz`, { signal: AbortSignal.timeout(LIMITS.statusMillis) });
      const why = (await answer.text()).trim();
      return !answer.ok || why === HEALTHY ? [] : [{ role, why }];
    } catch {
      return [];
    }
  });
  return (await Promise.all(asked)).flat();
}
