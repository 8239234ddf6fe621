import { type CandidateRole, type Lineage } from '../core/contracts/deployments';
import { FedloopError } from '../core/contracts/errors';
import { versionIdSchema, versionOfRound, type VersionId } from '../core/contracts/ids';
import { type PanelScore } from '../core/contracts/site-reports';
import { type AggregateResult, type RoundPlan, type SettleResult } from '../core/contracts/steps';
import { historyWindows, type Task } from '../core/contracts/task';
import { addTallies } from '../core/federation/panels/panel-tally';
import { settleRound, type JudgedProposal } from '../core/federation/panels/choose-candidates';
import { type Deployments } from '../core/model/deployments';
import { type GlobalModel } from '../core/model/types';
import { type Producer } from '../core/platform/kafka';
import { PROPOSALS, REFITS } from './shared/proposals';
import { deployModels } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

export interface DeployDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
}

interface Candidate {
  readonly version: VersionId;
  readonly role: CandidateRole | null;
  readonly proposal: string;
}

/**
 * Step 5: settle what panels and past rounds say of the proposals, and deploy what is left of them as candidates: the elected
 * one as `v<round>`, the other beside it under its role's name, so that the next rounds have evidence.
 */
export async function deploy(
  dependencies: DeployDependencies,
  plan: RoundPlan,
  aggregated: AggregateResult,
  evidence: readonly number[],
): Promise<SettleResult> {
  const { producer, deployments, inbox } = dependencies;
  const base = deployments.find(plan.champion);
  if (base === undefined)
    throw new FedloopError('NotFound', `the champion ${plan.champion} is not in model-deployments`);
  const panelScores = await inbox.panelScores(plan);
  const { candidates, feedbackUsed: settledBy } = settleCandidates(plan, aggregated, panelScores, evidence);
  // Refits were published before the panels scored them, so that whoever has read the scores has read them.
  const feedbackUsed = {
    ...settledBy,
    ...(aggregated.wantsPanels && {
      steady_refit_share: inbox.refitShare(plan, PROPOSALS.steadyRefitted),
      refit_share: inbox.refitShare(plan, PROPOSALS.responsiveRefitted),
    }),
  };

  const models = await Promise.all(
    candidates.map(async ({ version, role, proposal }) => {
      const model: GlobalModel = {
        metadata: {
          ...base.model.metadata,
          version,
          residualStddev: residualStddev(panelScores, proposal, base.model),
        },
        weights: await inbox.proposal(plan, proposal),
      };
      const { task } = deployments.settings();
      return {
        model,
        lineage: lineageOf(plan, { role, proposal }, aggregated, { feedbackUsed, task }),
      };
    }),
  );
  await deployModels(
    producer,
    deployments,
    models,
    candidates.map(({ version, role }) => ({
      version,
      stage: 'candidate' as const,
      round: plan.round,
      reason: role === null ? `made by ${plan.strategy}` : `the ${role} candidate of ${plan.strategy}`,
    })),
  );
  const [elected] = candidates;
  if (elected === undefined) throw new FedloopError('Internal', `round ${plan.round} has no candidate`);
  return {
    elected: { version: elected.version, role: elected.role },
    candidates: candidates.map(({ version }) => version),
    feedbackUsed,
  };
}

/** The elected candidate first. */
function settleCandidates(
  plan: RoundPlan,
  aggregated: AggregateResult,
  panelScores: readonly PanelScore[],
  evidence: readonly number[],
): { readonly candidates: readonly Candidate[]; readonly feedbackUsed: Lineage['feedback_used'] } {
  const version = versionOfRound(plan.round);
  if (!aggregated.wantsPanels) {
    return {
      candidates: [{ version, role: null, proposal: PROPOSALS.sole }],
      feedbackUsed: aggregated.feedbackUsed,
    };
  }
  const settled = settleRound({
    parts: plan.parts,
    steady: {
      proposal: judged(panelScores, PROPOSALS.steady),
      refitted: judgedIfThere(panelScores, PROPOSALS.steadyRefitted),
    },
    responsive: {
      proposal: judged(panelScores, PROPOSALS.responsive),
      refitted: judgedIfThere(panelScores, PROPOSALS.responsiveRefitted),
    },
    evidence,
  });
  const named = (role: CandidateRole, elected: boolean, proposal: string): Candidate => ({
    version: elected ? version : versionIdSchema.parse(`${version}-${role}`),
    role,
    proposal,
  });
  const responsiveProposal =
    settled.responsive === 'refitted' ? PROPOSALS.responsiveRefitted : PROPOSALS.responsive;
  const steadyProposal = settled.steady === 'refitted' ? PROPOSALS.steadyRefitted : PROPOSALS.steady;
  // A responsive proposal that the gate held back is not deployed; the champion stands in for it on the live windows.
  const responsiveServes = settled.elected === 'responsive' && settled.responsive !== 'champion';
  const steady = named('steady', !responsiveServes, steadyProposal);
  const responsive = named('responsive', responsiveServes, responsiveProposal);
  const candidates =
    settled.responsive === 'champion'
      ? [steady]
      : responsiveServes
        ? [responsive, steady]
        : [steady, responsive];
  return { candidates, feedbackUsed: { ...aggregated.feedbackUsed, ...settled.feedbackUsed } };
}

function judged(scores: readonly PanelScore[], proposal: string): JudgedProposal {
  const own = scores.filter((score) => score.proposal === proposal);
  return { b: addTallies(own.map(({ b }) => b)), c: addTallies(own.map(({ c }) => c)) };
}

function judgedIfThere(scores: readonly PanelScore[], name: string): JudgedProposal | null {
  return scores.some(({ proposal }) => proposal === name) ? judged(scores, name) : null;
}

/** Root mean square of the proposal's errors on panel C, in the target's unit: what its stated confidence starts from. */
function residualStddev(scores: readonly PanelScore[], proposal: string, base: GlobalModel): number | null {
  const { rows, squaredError } = judged(scores, proposal).c;
  return rows === 0 ? null : Math.sqrt(squaredError / rows) * base.metadata.tolerance;
}

function lineageOf(
  plan: RoundPlan,
  { role, proposal }: Pick<Candidate, 'role' | 'proposal'>,
  { contributors }: AggregateResult,
  { feedbackUsed, task }: { readonly feedbackUsed: Lineage['feedback_used']; readonly task: Task },
): Lineage {
  // A refit changes the output layer of a proposal; whose updates are in it stays.
  const made = REFITS.find(({ into }) => into === proposal)?.of ?? proposal;
  const whose = contributors.find((known) => known.proposal === made);
  return {
    round: plan.round,
    parents: [plan.champion],
    strategy: plan.strategy,
    role,
    seed: plan.seed,
    devices: whose?.devices ?? 0,
    devices_sha256: whose?.sha256 ?? null,
    data_from: plan.trainUntil - (plan.training.windows - 1 + historyWindows(task)) * task.windowMicros,
    data_until: plan.trainUntil,
    feedback_used: feedbackUsed,
  };
}
