import { type Client, type WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
import { ROUND_WORKFLOW_ID } from '../core/contracts/queues';
import { ROUND_STEPS, type RoundStep } from '../core/contracts/steps';
import { type FederatedRoundResult } from '../core/contracts/rounds';

/** What we show of `RoundProgress`; a workflow of another version may tell more. */
const roundProgress = z.object({
  round: z.number().nullable(),
  step: z.enum(ROUND_STEPS),
  candidate: z.string().nullable(),
  devicesTrained: z.number().nullable(),
});
export type ShownProgress = z.infer<typeof roundProgress>;

/**
 * How far the running round is, if it was started, directly or not, by the workflow that we started; undefined while another's
 * round has its turn.
 */
export async function askRoundProgress(client: Client, rootId: string): Promise<ShownProgress | undefined> {
  try {
    const handle = await runningRound(client, rootId);
    return handle === undefined ? undefined : roundProgress.parse(await handle.query('progress'));
  } catch {
    // Between two rounds there is none to ask, and a busy worker may answer late: the next look shows more.
    return undefined;
  }
}

/** How far a round is that runs under this id, whoever has started it. */
export async function askRunningRound(
  client: Client,
  workflowId: string,
): Promise<ShownProgress | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId);
    const { status } = await handle.describe();
    return status.name === 'RUNNING' ? roundProgress.parse(await handle.query('progress')) : undefined;
  } catch {
    // None has run yet, or a busy worker answers late.
    return undefined;
  }
}

/**
 * End a workflow and the round it has under way, at once. For workflows whose workers are about to go: on a server that lives on, they
 * would wait for them for ever and keep the next ones from starting.
 */
export async function terminateTraining(client: Client, workflowId: string, reason: string): Promise<void> {
  const round = await runningRound(client, workflowId).catch(() => undefined);
  await Promise.all([client.workflow.getHandle(workflowId).terminate(reason), round?.terminate(reason)]);
}

async function runningRound(client: Client, rootId: string): Promise<WorkflowHandle | undefined> {
  const handle = client.workflow.getHandle(ROUND_WORKFLOW_ID);
  const { status, rootExecution } = await handle.describe();
  return status.name === 'RUNNING' && rootExecution?.workflowId === rootId ? handle : undefined;
}

/** Share of a round's work that lies behind it at each step; the wait for live windows is the longest. */
const DONE_BEFORE: Readonly<Record<RoundStep, number>> = {
  waiting: 0,
  playing: 0,
  ask: 0,
  select: 0.02,
  'train locals': 0.05,
  'score locals': 0.25,
  aggregate: 0.35,
  deploy: 0.4,
  evaluate: 0.45,
  approve: 0.9,
  decide: 0.95,
  'feed back': 0.97,
  done: 1,
};

/** Share (0 to 1) of a round that is done. */
export function fractionOf(step: RoundStep): number {
  return DONE_BEFORE[step];
}

/** `train locals`, `evaluate v3 on live windows`. */
export function describeStep(progress: ShownProgress): string {
  if (progress.step === 'evaluate')
    return `evaluate ${progress.candidate ?? 'the candidate'} on live windows`;
  if (progress.step === 'score locals' && progress.devicesTrained !== null) {
    return `score ${progress.devicesTrained.toLocaleString('en')} local models`;
  }
  return progress.step;
}

/** One line on a round that is over. */
export function describeResult(result: FederatedRoundResult): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const change = 100 * result.pairedChange.mean;
  const { version, candidate, decision, previousChampion } = result;
  return `${version} ${percent(candidate.accuracy)} real accuracy, ${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(1)} points on ${previousChampion.version}, ${decision}`;
}
