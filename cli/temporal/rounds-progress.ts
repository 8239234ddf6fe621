import { type Client, type WorkflowExecutionDescription, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { decisionInWords } from '../../core/contracts/decisions';
import { type FleetNames } from '../../core/contracts/queues';
import { ROUND_STEPS, type RoundStep } from '../../core/contracts/steps';
import { percent } from '../shared/format';
import { type FederatedRoundResult } from '../../core/contracts/rounds';

/** The shown part of `RoundProgress`; a workflow of another version may report more. */
const roundProgress = z.object({
  round: z.number().nullable(),
  step: z.enum(ROUND_STEPS),
  /** What the fleet still needs; null when the round waits for nothing. */
  waitsFor: z.string().nullable().default(null),
  /** Who holds it, and why; null while nobody does. */
  paused: z.string().nullable().default(null),
  candidate: z.string().nullable(),
  devicesTrained: z.number().nullable(),
});

const pauseable = z.object({ paused: z.string().nullable() });

/** Heartbeats of a step's activities: devices trained, or windows seen, out of `of`. */
const heartbeat = z.object({
  of: z.int().positive(),
  trained: z.int().optional(),
  windows: z.int().optional(),
});

export interface ShownProgress extends z.infer<typeof roundProgress> {
  /** Progress within the step; null where it is not counted. */
  readonly counted: { readonly done: number; readonly of: number } | null;
}

/**
 * Progress of the running round if the workflow `rootId` has started it, directly or not; undefined while another round runs.
 */
export async function queryRoundProgress(
  client: Client,
  { roundId }: FleetNames,
  rootId: string,
): Promise<ShownProgress | undefined> {
  try {
    const handle = client.workflow.getHandle(roundId);
    const description = await handle.describe();
    return description.rootExecution?.workflowId === rootId ? await shownOf(handle, description) : undefined;
  } catch {
    // Between two rounds there is none, and a busy worker may answer late: the next poll shows more.
    return undefined;
  }
}

/** Progress of the round that runs under this id, if there is one. */
export async function queryRunningRound(
  client: Client,
  workflowId: string,
): Promise<ShownProgress | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId);
    return await shownOf(handle, await handle.describe());
  } catch {
    // No round has run yet, or a busy worker answers late.
    return undefined;
  }
}

/** Who has paused a running workflow, and why; undefined while it goes on, or does not answer. */
export async function queryPause(client: Client, workflowId: string): Promise<string | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId);
    if ((await handle.describe()).status.name !== 'RUNNING') return undefined;
    return pauseable.parse(await handle.query('progress')).paused ?? undefined;
  } catch {
    // There is none, or a busy worker answers late.
    return undefined;
  }
}

async function shownOf(
  handle: WorkflowHandle,
  description: WorkflowExecutionDescription,
): Promise<ShownProgress | undefined> {
  if (description.status.name !== 'RUNNING') return undefined;
  const progress = roundProgress.parse(await handle.query('progress'));
  return { ...progress, counted: countedBy(description) };
}

/** The sum over all sites that work on the step; an activity that does not count is left out. */
function countedBy({ raw }: WorkflowExecutionDescription): ShownProgress['counted'] {
  const counts = (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails }) => {
    const [details] = heartbeatDetails?.payloads ?? [];
    const beat =
      details == null ? undefined : heartbeat.safeParse(defaultPayloadConverter.fromPayload(details)).data;
    return beat === undefined ? [] : [{ done: beat.trained ?? beat.windows ?? 0, of: beat.of }];
  });
  if (counts.length === 0) return null;
  return counts.reduce((sum, { done, of }) => ({ done: sum.done + done, of: sum.of + of }));
}

/**
 * Terminate the training and its running round. For workflows whose workers are about to stop: on a server that stays up they would
 * wait for workers for ever and block the next ones.
 */
export async function terminateTraining(client: Client, names: FleetNames, reason: string): Promise<void> {
  const { trainingId } = names;
  const round = await runningRound(client, names, trainingId).catch(() => undefined);
  await Promise.all([client.workflow.getHandle(trainingId).terminate(reason), round?.terminate(reason)]);
}

async function runningRound(
  client: Client,
  { roundId }: FleetNames,
  rootId: string,
): Promise<WorkflowHandle | undefined> {
  const handle = client.workflow.getHandle(roundId);
  const { status, rootExecution } = await handle.describe();
  return status.name === 'RUNNING' && rootExecution?.workflowId === rootId ? handle : undefined;
}

/** Share of a round's work that is done at the beginning of each step; the wait for live windows is the longest. */
const DONE_BEFORE: Readonly<Record<RoundStep, number>> = {
  waiting: 0,
  running: 0,
  ask: 0,
  select: 0.02,
  'train locals': 0.05,
  'score locals': 0.25,
  aggregate: 0.35,
  // Of a refit between rounds alone.
  refit: 0.38,
  deploy: 0.4,
  evaluate: 0.45,
  approve: 0.9,
  decide: 0.95,
  'feed back': 0.97,
  done: 1,
};

/** Share (0 to 1) of a round that is done; within a step too, where it counts. */
export function fractionOf({ step, counted }: Pick<ShownProgress, 'step' | 'counted'>): number {
  const before = DONE_BEFORE[step];
  if (counted === null) return before;
  const next = ROUND_STEPS[ROUND_STEPS.indexOf(step) + 1] ?? 'done';
  return before + (DONE_BEFORE[next] - before) * Math.min(1, counted.done / counted.of);
}

/** `train locals, 820 of 1,668`, `evaluate v3 on live windows, 4 of 6`, `13 of 32 windows, first round about 21:12 UTC`. */
export function describeStep(progress: ShownProgress): string {
  const { paused } = progress;
  return paused === null ? describeWork(progress) : `${describeWork(progress)}; paused: ${paused}`;
}

function describeWork({ step, waitsFor, candidate, devicesTrained, counted }: ShownProgress): string {
  if (waitsFor !== null) return waitsFor;
  const name =
    step === 'evaluate'
      ? `evaluate ${candidate ?? 'the candidate'} on live windows`
      : step === 'score locals' && devicesTrained !== null
        ? `score ${devicesTrained.toLocaleString('en')} local models`
        : step;
  if (counted === null) return name;
  return `${name}, ${counted.done.toLocaleString('en')} of ${counted.of.toLocaleString('en')}`;
}

/** One line about a finished round. */
export function describeResult(result: FederatedRoundResult): string {
  const change = 100 * result.pairedChange.mean;
  const { version, candidate, previousChampion } = result;
  return `${version} ${percent(candidate.accuracy)} real accuracy, ${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(1)} points on ${previousChampion.version}, ${decisionInWords(result)}`;
}
