import { userInfo } from 'node:os';
import { type Client, WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { FedloopError } from '../../core/contracts/errors';
import { type FleetNames } from '../../core/contracts/queues';
import {
  federatedRoundInputSchema,
  federatedRoundResultSchema,
  type FederatedRoundInput,
  type FederatedRoundResult,
} from '../../core/contracts/rounds';
import { ROUND_STEPS } from '../../core/contracts/steps';
import { parseOrThrow } from '../../core/contracts/validation';
import { deploymentEnvironment, environmentIn } from '../system/deployment';
import { findRunning, type RunningSystem } from '../system/running';
import { LIMITS } from '../shared/limits';
import { endOf, type Step } from '../progress';
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
import { missingWorker } from '../temporal/missing-worker';
import { FollowedSystem } from '../temporal/followed-system';
import { resultOf } from '../temporal/workflow-result';
import { connectTemporal, withTemporal } from '../servers/temporal-client';

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
  const system = await findRunning(session.folder);
  await withTemporal(await deploymentEnvironment(session), async (client, names) => {
    const waiting = await queryRunningRound(client, names.roundId);
    if (waiting !== undefined && waiting.waitsFor !== null) {
      if (!whenReady) throw tooEarly(waiting.waitsFor);
      session.progress.note('A round waits for the fleet’s windows already; this follows it.');
      await follow(session, { client, names, workflowId: names.roundId, system }, options);
      return;
    }
    const workflowId = names.byHandId('round', new Date().toISOString().replace(/\D/g, '').slice(0, 17));
    await begin(client, names, workflowId, whenReady ? waitingInput(input) : given);
    const started = { client, names, workflowId, system };
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
      memo: { startedBy: `${userInfo().username} with fedloop round start` },
      args: input === undefined ? [] : [input],
    });
  } catch (cause) {
    if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
    throw new FedloopError('RoundInProgress', `the workflow ${workflowId} is running already`, { cause });
  }
}

interface StartedRound {
  /** Another one when the system has moved. */
  client: Client;
  readonly names: FleetNames;
  readonly workflowId: string;
  /** That of this folder; undefined for a server that the environment names. */
  readonly system: RunningSystem | undefined;
  /** Of its Temporal server, once that has moved. */
  address?: string | null;
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

/**
 * Wait for the round, as long as there is a system that can go on with it. Ctrl-C ends the wait, not the round, which is durable; a round
 * that only waits for windows is cancelled.
 */
async function follow(session: Session, started: StartedRound, options: StartOptions): Promise<void> {
  const step = session.progress.step('Round');
  const seen: Seen = { latest: undefined };
  const followed = started.system && new FollowedSystem(session, started.system, 'the round');
  const stopped = followed?.stopped();
  const ending: { reason?: unknown } = {};
  stopped?.catch((reason: unknown) => {
    ending.reason = reason;
  });
  try {
    const ended = untilEnd(session, started, step, seen, followed);
    ended.catch(() => undefined);
    const round = await Promise.race([ended, ...(stopped === undefined ? [] : [stopped])]);
    step.done(describeResult(round));
    if (options.json === true) session.out(`${JSON.stringify(round, null, 2)}\n`);
  } catch (thrown) {
    step.fail(thrown === ending.reason ? 'stopped' : endOf(thrown));
    if (session.signal.aborted) await leave(session, started, seen.latest);
    throw workflowFailure(thrown, 'the round');
  } finally {
    followed?.close();
  }
}

/** Progress of the round as it was seen last. */
interface Seen {
  latest: ShownProgress | undefined;
  /** Why no worker took its next task then. */
  missing?: string | undefined;
}

/** Show the round's progress until it ends. */
async function untilEnd(
  session: Session,
  started: StartedRound,
  step: Step,
  seen: Seen,
  followed: FollowedSystem | undefined,
): Promise<FederatedRoundResult> {
  let ended = false;
  const result = resultOf(
    started.client.workflow.getHandle(started.workflowId),
    'the round',
    session,
    followed === undefined ? LIMITS : { ...LIMITS, temporalAwayMillis: Number.POSITIVE_INFINITY },
    () => elsewhere(session, started, followed),
  ).finally(() => {
    ended = true;
  });
  result.catch(() => undefined);
  await poll(
    async () => {
      const missing = await missingOf(started);
      if (missing !== undefined) {
        if (missing !== seen.missing) session.progress.note(`The round stands still: ${missing}.`);
        step.update('waiting for a worker');
      }
      seen.missing = missing;
      // Nobody would answer.
      const progress = missing === undefined ? await progressOf(started) : undefined;
      if (missing === undefined && progress === undefined) {
        if (seen.latest === undefined) step.update('waiting for the round before it');
      } else if (progress !== undefined) {
        if (progress.waitsFor !== null && seen.latest === undefined)
          session.progress.note(`No round is possible yet: ${progress.waitsFor}. Waiting.`);
        seen.latest = progress;
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
  return federatedRoundResultSchema.parse(await unlessAborted(result, session.signal));
}

/** The round at a system that has come back at another address. */
async function elsewhere(
  session: Session,
  started: StartedRound,
  followed: FollowedSystem | undefined,
): Promise<WorkflowHandle | undefined> {
  const now = followed?.now;
  if (now === undefined || now.temporal.address === (started.address ?? started.system?.temporal.address))
    return undefined;
  const temporal = await connectTemporal(await environmentIn(session, now)).catch(() => undefined);
  if (temporal === undefined) return undefined;
  started.client = temporal.client;
  started.address = now.temporal.address;
  return temporal.client.workflow.getHandle(started.workflowId);
}

function progressOf({ client, names, workflowId }: StartedRound): Promise<ShownProgress | undefined> {
  return workflowId === names.roundId
    ? queryRunningRound(client, workflowId)
    : queryRoundProgress(client, names, workflowId);
}

/** Why no worker goes on with the round, or with the one that it waits for; undefined while Temporal does not answer. */
async function missingOf({ client, names, workflowId }: StartedRound): Promise<string | undefined> {
  try {
    for (const id of new Set([workflowId, names.roundId])) {
      const missing = await missingWorker(client, names, id);
      if (missing !== undefined) return missing;
    }
    return undefined;
  } catch {
    return undefined;
  }
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
