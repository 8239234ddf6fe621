import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { FedloopError } from '../../core/contracts/errors';
import {
  championChangeSchema,
  type ChampionChange,
  type ChangeChampionInput,
} from '../../core/contracts/live-checks';
import { type FleetNames } from '../../core/contracts/queues';
import { deploymentEnvironment } from '../system/deployment';
import { endOf } from '../progress';
import { withTemporal } from '../servers/temporal-client';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';
import { workflowFailure } from '../temporal/workflow-failure';

/**
 * Change the champion of the running system, or of the one that TEMPORAL_ADDRESS names.
 * @throws FedloopError with the code of the step that failed.
 */
export async function changeChampion(session: Session, input: ChangeChampionInput): Promise<ChampionChange> {
  const title = input.action === 'promote' ? `Promoting ${input.version}` : `Rolling ${input.version} back`;
  return withTemporal(await deploymentEnvironment(session), async (client, names) => {
    const step = session.progress.step(title);
    try {
      const done = championChangeSchema.parse(await unlessAborted(start(client, names, input), session.signal));
      step.done(done.changed ? `${done.champion} serves` : done.reason);
      return done;
    } catch (thrown) {
      step.fail(endOf(thrown));
      throw workflowFailure(thrown, 'the change of champion');
    }
  });
}

async function start(client: Client, names: FleetNames, input: ChangeChampionInput): Promise<unknown> {
  try {
    return await client.workflow.execute('changeChampion', {
      taskQueue: names.roundsQueue,
      workflowId: names.championId,
      args: [input],
      staticSummary: `${input.action} ${input.version}, by ${input.by}`,
    });
  } catch (cause) {
    if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
    throw new FedloopError('RoundInProgress', 'another change of champion is being carried out', {
      hint: 'Try again when it is done.',
      cause,
    });
  }
}
