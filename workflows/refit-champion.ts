import { workflowInfo } from '@temporalio/workflow';
import { federatedRoundInputSchema, type FederatedRoundInput } from '../core/contracts/rounds';
import { type RefitResult } from '../core/contracts/refits';
import { type AggregateResult } from '../core/contracts/steps';
import { causeFirst } from './failures';
import { ownFleet } from './fleet';
import { parseInput, refuse } from './input';
import { judge, orWithdrawn } from './judge';
import { RoundControl } from './round-control';
import { judgeOnPanels, nextTake, planOf, selectDevices } from './round-training';
import { roundSteps } from './steps';
import { visibility } from './visibility';

/**
 * A refit between rounds: ask, select, refit, deploy, evaluate, decide, feed back. Nothing is trained: sums of the freshest windows make the champion anew,
 * panel B accepts it or not, and what it accepts is judged as any candidate is. It has the round lock, and so never overlaps with a round.
 * @param rawInput a round's input; what it says of training is not used
 */
export async function refitChampion(rawInput?: unknown): Promise<RefitResult> {
  const input = parseInput(federatedRoundInputSchema, rawInput);
  const { roundId } = ownFleet();
  if (workflowInfo().workflowId !== roundId)
    throw refuse(`a refit needs the round lock: start it under the workflow id ${roundId}`);
  const control = new RoundControl(input, { paused: null, changes: [] });
  try {
    return await stepByStep(control, input);
  } finally {
    control.ended();
  }
}

async function stepByStep(control: RoundControl, input: FederatedRoundInput): Promise<RefitResult> {
  const steps = roundSteps(input);
  const attempt = workflowInfo().originalExecutionRunId;
  await control.enter('ask');
  const asked = await steps.rounds.ask({ attempt }).catch((thrown: unknown) => {
    throw causeFirst(thrown, 'ask');
  });
  const seen = visibility(asked.searchAttributes);
  return orWithdrawn(control, steps, { round: asked.round, attempt, seen }, async () => {
    const selected = await selectDevices(control, steps, asked, attempt);
    const { champion, planFor } = selected;
    const { settings } = control;
    await control.enter('refit', { champion });
    const planned = nextTake({ ...planOf(selected, settings), privacy: null }, 'aggregate');
    const begun = await steps.rounds.proposeChampion(planned);
    const plan = await judgeOnPanels({ ...planned, parts: begun.parts }, planFor, steps, {
      wantsPanels: true,
      proposals: [begun.proposal],
    });
    await control.enter('deploy');
    const made = await steps.rounds.deployRefit(plan);
    if (made.outcome === 'refused') {
      control.report({ step: 'done', decision: 'kept' });
      return { reason: made.reason, decision: 'kept', round: plan.round, version: null, champion };
    }
    const prepared = { asked, plan, aggregated: NOTHING_TRAINED, contribution: null };
    return judge(control, steps, prepared, made.deployed, seen);
  });
}

const NOTHING_TRAINED: AggregateResult = {
  proposals: [],
  trained: 0,
  used: 0,
  leftOut: {},
  selfReportedAccuracy: null,
  localRealAccuracy: null,
  selfReportGap: null,
  contributors: [],
  feedbackUsed: {},
  wantsPanels: true,
};
