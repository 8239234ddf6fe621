import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { FedloopError } from '../../core/contracts/errors';
import { type FleetNames } from '../../core/contracts/queues';
import { federatedRoundInputSchema, federatedRoundResultSchema } from '../../core/contracts/rounds';
import { parseOrThrow } from '../../core/contracts/validation';
import { deploymentEnvironment } from '../system/deployment';
import { LIMITS } from '../shared/limits';
import { endOf } from '../progress';
import { queryRoundProgress, describeResult, describeStep, fractionOf } from '../temporal/rounds-progress';
import { type Session } from '../system/session';
import { poll, unlessAborted } from '../shared/wait';
import { workflowFailure } from '../temporal/workflow-failure';
import { resultOf } from '../temporal/workflow-result';
import { withTemporal } from '../servers/temporal-client';

export interface StartOptions {
  readonly input?: unknown;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** `fedloop round start`: a round by hand, as from Temporal's UI. */
export async function startRound(session: Session, options: StartOptions): Promise<void> {
  // Checked here as well, so that a mistake is reported at once and with exit code 2.
  parseOrThrow(federatedRoundInputSchema, options.input ?? {}, 'the input');
  await withTemporal(await deploymentEnvironment(session), async (client, names) => {
    const workflowId = names.byHandId('round', new Date().toISOString().replace(/\D/g, '').slice(0, 17));
    await begin(client, names, workflowId, options.input);
    if (options.wait === true) await follow(session, { client, names, workflowId }, options);
    else
      session.out(options.json === true ? `${JSON.stringify({ workflowId })}\n` : `started ${workflowId}\n`);
  });
}

async function begin(
  client: Client,
  { roundsQueue }: FleetNames,
  workflowId: string,
  input: unknown,
): Promise<void> {
  try {
    await client.workflow.start('federatedRound', {
      taskQueue: roundsQueue,
      workflowId,
      args: input === undefined ? [] : [input],
    });
  } catch (cause) {
    if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
    throw new FedloopError('RoundInProgress', `the workflow ${workflowId} is running already`, { cause });
  }
}

interface StartedRound {
  readonly client: Client;
  readonly names: FleetNames;
  readonly workflowId: string;
}

/** Wait for the round. Ctrl-C ends the wait, not the round, which is durable. */
async function follow(
  session: Session,
  { client, names, workflowId }: StartedRound,
  options: StartOptions,
): Promise<void> {
  const step = session.progress.step('Round');
  let ended = false;
  let begun = false;
  const result = resultOf(client.workflow.getHandle(workflowId), 'the round', session).finally(() => {
    ended = true;
  });
  result.catch(() => undefined);
  try {
    await poll(
      async () => {
        const progress = await queryRoundProgress(client, names, workflowId);
        if (progress === undefined) {
          if (!begun) step.update('waiting for the round before it');
        } else {
          begun = true;
          if (progress.round !== null) step.rename(`Round ${progress.round}`);
          step.update(describeStep(progress), fractionOf(progress));
        }
        return ended ? true : undefined;
      },
      {
        everyMillis: LIMITS.progressPollMillis,
        timeoutMillis: Number.POSITIVE_INFINITY,
        signal: session.signal,
      },
    );
    const round = federatedRoundResultSchema.parse(await unlessAborted(result, session.signal));
    step.done(describeResult(round));
    if (options.json === true) session.out(`${JSON.stringify(round, null, 2)}\n`);
  } catch (thrown) {
    step.fail(endOf(thrown));
    if (session.signal.aborted) session.progress.note(`${workflowId} goes on; \`fedloop watch\` follows it.`);
    throw workflowFailure(thrown, 'the round');
  }
}
