import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import {
  federatedRoundInputSchema,
  type FederatedRoundInput,
  type FederatedRoundResult,
} from '../core/contracts/rounds';
import { isOwnStrategy } from '../core/contracts/strategies';
import { causeFirst } from './failures';
import { ownFleet, refuseLockedId } from './fleet';
import { parseInput, takenAlong } from './input';
import { judge, orWithdrawn } from './judge';
import { waitUntilReady } from './readiness';
import { RoundControl, toldRoundSchema, type ToldRound } from './round-control';
import { runUnderLock } from './round-lock';
import { trainAndAggregate } from './round-training';
import { roundSteps } from './steps';
import { visibility } from './visibility';

const NOTHING_TOLD: ToldRound = { paused: null, changes: [] };

/**
 * One federated round: ask, select, train locals, score locals, aggregate, deploy, evaluate, decide, feed back.
 * The fleet's round id (`fedloop-round`) is the round lock: a round started under any other id runs as a child under that one, so that
 * two never overlap. `rawTold` is what a run takes along when it continues as new.
 */
export async function federatedRound(rawInput?: unknown, rawTold?: ToldRound): Promise<FederatedRoundResult> {
  refuseLockedId('roundId');
  const input = parseInput(federatedRoundInputSchema, rawInput);
  const told = takenAlong(toldRoundSchema, rawTold, NOTHING_TOLD);
  const { roundId } = ownFleet();
  return workflowInfo().workflowId === roundId ? runRound(input, told) : runUnderLock(input, roundId);
}

async function runRound(input: FederatedRoundInput, told: ToldRound): Promise<FederatedRoundResult> {
  const control = new RoundControl(input, told);
  try {
    return await stepByStep(control, input);
  } finally {
    control.ended();
  }
}

async function stepByStep(control: RoundControl, input: FederatedRoundInput): Promise<FederatedRoundResult> {
  const steps = roundSteps(input);
  // A reset gives the workflow another run id, and leaves this one.
  const attempt = workflowInfo().originalExecutionRunId;

  await control.enter('ask');
  if (input.ifTooEarly === 'wait')
    await waitUntilReady(control, steps.sites, () =>
      continueAsNew<typeof federatedRound>(control.settings, control.told),
    );
  const { privacy, strategy, strategySettings: settings } = control.settings;
  const own = isOwnStrategy(strategy) ? { strategy, settings } : undefined;
  const asked = await steps.rounds
    .ask({ attempt, ...(privacy && { privacy }), ...(own && { own }) })
    .catch((thrown: unknown) => {
      throw causeFirst(thrown, 'ask');
    });
  const seen = visibility(asked.searchAttributes);
  return orWithdrawn(control, steps, { round: asked.round, attempt, seen }, async () => {
    const prepared = await trainAndAggregate(control, steps, asked, attempt);
    await control.enter('deploy');
    const { evidence, linearEvidence } = asked;
    const deployed = await steps.rounds.deploy(prepared.plan, prepared.aggregated, evidence, linearEvidence);
    return judge(control, steps, prepared, deployed, seen);
  });
}
