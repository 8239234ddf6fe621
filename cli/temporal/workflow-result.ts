import { type WorkflowHandle } from '@temporalio/client';
import { FedloopError } from '../../core/contracts/errors';
import { hasGrpcStatus } from '../../workers/grpc-status';
import { LIMITS } from '../shared/limits';
import { type Session } from '../system/session';
import { poll } from '../shared/wait';
import { causesOf } from './workflow-failure';

type Handle = Pick<WorkflowHandle, 'result' | 'describe'>;

/**
 * A workflow's result. The wait outlasts a restart of the server, as the workflow does.
 * @param what the workflow as the subject of a sentence, such as "the round"
 * @param elsewhere the same workflow at a server that has moved; undefined while it has not.
 * @throws FedloopError `ServerUnavailable` when the server stays away; the workflow's failure.
 */
export async function resultOf(
  first: Handle,
  what: string,
  { signal, progress }: Pick<Session, 'signal' | 'progress'>,
  limits: Readonly<Record<'temporalAwayMillis' | 'progressPollMillis', number>> = LIMITS,
  elsewhere: () => Promise<Handle | undefined> = () => Promise.resolve(undefined),
): Promise<unknown> {
  let handle = first;
  for (;;) {
    try {
      return await handle.result();
    } catch (thrown) {
      if (!isServerAway(thrown)) throw thrown;
      progress.note(`Temporal does not answer; ${what} goes on when it is back.`);
      const find = async (): Promise<Handle | undefined> =>
        (await elsewhere()) ?? ((await answers(handle)) === true ? handle : undefined);
      const found = await poll(find, {
        everyMillis: limits.progressPollMillis,
        timeoutMillis: limits.temporalAwayMillis,
        signal,
      });
      if (found === undefined) {
        throw new FedloopError('ServerUnavailable', `Temporal stays away; ${what} waits for it`, {
          hint: '`fedloop status` shows when it is back.',
          cause: thrown,
        });
      }
      handle = found;
    }
  }
}

/** Any answer counts, also an error: only silence means that the server is away. */
async function answers(handle: Pick<WorkflowHandle, 'describe'>): Promise<true | undefined> {
  try {
    await handle.describe();
    return true;
  } catch (thrown) {
    return isServerAway(thrown) ? undefined : true;
  }
}

function isServerAway(thrown: unknown): boolean {
  return causesOf(thrown).some((cause) => hasGrpcStatus(cause, 'unavailable'));
}
