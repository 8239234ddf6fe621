import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { FedloopError } from '../../core/contracts/errors';
import { type FleetNames } from '../../core/contracts/queues';
import {
  federatedRoundInputSchema,
  federatedRoundResultSchema,
  type FederatedRoundInput,
} from '../../core/contracts/rounds';
import { ROUND_STEPS } from '../../core/contracts/steps';
import { parseOrThrow } from '../../core/contracts/validation';
import { deploymentEnvironment } from '../system/deployment';
import { LIMITS } from '../shared/limits';
import { endOf } from '../progress';
import {
  queryRoundProgress,
  queryRunningRound,
  describeResult,
  describeStep,
  fractionOf,
  type ShownProgress,
} from '../temporal/rounds-progress';
import { inputOf, type InputOptions } from '../system/presets';
import { type Session } from '../system/session';
import { poll, unlessAborted } from '../shared/wait';
import { workflowFailure } from '../temporal/workflow-failure';
import { resultOf } from '../temporal/workflow-result';
import { withTemporal } from '../servers/temporal-client';

export interface StartOptions extends InputOptions {
  readonly wait?: boolean;
  /** Wait until the fleet has windows enough, then for the round. */
  readonly whenReady?: boolean;
  readonly json?: boolean;
}

/**
 * `fedloop round start`: a round by hand, as from Temporal's UI.
 * @throws FedloopError `TooFewWindows` with what is missing, when no round is possible yet.
 */
export async function startRound(session: Session, options: StartOptions): Promise<void> {
  const given = await inputOf(session, options);
  // Checked here as well, so that a mistake is reported at once and with exit code 2.
  const input = parseOrThrow(federatedRoundInputSchema, given ?? {}, 'the input');
  const whenReady = options.whenReady === true;
  await withTemporal(await deploymentEnvironment(session), async (client, names) => {
    const waiting = await queryRunningRound(client, names.roundId);
    if (waiting !== undefined && waiting.waitsFor !== null) {
      if (!whenReady) throw tooEarly(waiting.waitsFor);
      session.progress.note('A round waits for the fleet’s windows already; this follows it.');
      await follow(session, { client, names, workflowId: names.roundId }, options);
      return;
    }
    const workflowId = names.byHandId('round', new Date().toISOString().replace(/\D/g, '').slice(0, 17));
    await begin(client, names, workflowId, whenReady ? waitingInput(input) : given);
    const started = { client, names, workflowId };
    if (options.wait === true || whenReady) {
      await follow(session, started, options);
      return;
    }
    await requireBegun(session, started);
    session.out(options.json === true ? `${JSON.stringify({ workflowId })}\n` : `started ${workflowId}\n`);
  });
}

function waitingInput(input: FederatedRoundInput): FederatedRoundInput {
  return { ...input, ifTooEarly: 'wait' };
}

function tooEarly(waitsFor: string): FedloopError {
  return new FedloopError('TooFewWindows', `no round is possible yet: ${waitsFor}`, {
    hint: 'A round that waits for it begins by itself then; `fedloop round start --when-ready` follows it.',
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

/** Give a round that begins too early the time to say so. A round that waits for its turn, or for a worker, counts as started. */
async function requireBegun(session: Session, { client, names, workflowId }: StartedRound): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  await poll(
    async () => {
      if ((await handle.describe()).status.name !== 'RUNNING') {
        await handle.result().catch((thrown: unknown) => {
          throw workflowFailure(thrown, 'the round');
        });
        return true;
      }
      const progress = await queryRoundProgress(client, names, workflowId);
      const isPast = progress !== undefined && stepNumber(progress) > ROUND_STEPS.indexOf('select');
      return isPast ? true : undefined;
    },
    {
      everyMillis: LIMITS.progressPollMillis,
      timeoutMillis: LIMITS.earlyFailureMillis,
      signal: session.signal,
    },
  );
}

function stepNumber({ step }: ShownProgress): number {
  return ROUND_STEPS.indexOf(step);
}

/** Wait for the round. Ctrl-C ends the wait, not the round, which is durable; a round that only waits for windows is cancelled. */
async function follow(
  session: Session,
  { client, names, workflowId }: StartedRound,
  options: StartOptions,
): Promise<void> {
  const step = session.progress.step('Round');
  let ended = false;
  let latest: ShownProgress | undefined;
  const result = resultOf(client.workflow.getHandle(workflowId), 'the round', session).finally(() => {
    ended = true;
  });
  result.catch(() => undefined);
  try {
    await poll(
      async () => {
        const progress = await progressOf({ client, names, workflowId });
        if (progress === undefined) {
          if (latest === undefined) step.update('waiting for the round before it');
        } else {
          if (progress.waitsFor !== null && latest === undefined)
            session.progress.note(`No round is possible yet: ${progress.waitsFor}. Waiting.`);
          latest = progress;
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
    if (session.signal.aborted) await leave(session, { client, names, workflowId }, latest);
    throw workflowFailure(thrown, 'the round');
  }
}

function progressOf({ client, names, workflowId }: StartedRound): Promise<ShownProgress | undefined> {
  return workflowId === names.roundId
    ? queryRunningRound(client, workflowId)
    : queryRoundProgress(client, names, workflowId);
}

/** After Ctrl-C: a round of this command that has not begun is cancelled, any other goes on. */
async function leave(
  session: Session,
  { client, names, workflowId }: StartedRound,
  latest: ShownProgress | undefined,
): Promise<void> {
  const isOwn = workflowId !== names.roundId;
  if (isOwn && latest !== undefined && latest.waitsFor !== null) {
    await client.workflow.getHandle(workflowId).cancel();
    session.progress.note('No round was started.');
    return;
  }
  session.progress.note(`${workflowId} goes on; \`fedloop watch\` follows it.`);
}
