import { type CandidateRole, type Lineage, type NetworkRole } from '../core/contracts/deployments';
import { FedloopError } from '../core/contracts/errors';
import { versionIdSchema, versionOfRound, type VersionId } from '../core/contracts/ids';
import { type PanelScore } from '../core/contracts/site-reports';
import { type AggregateResult, type DeployResult, type RoundPlan } from '../core/contracts/steps';
import { historyWindows, type Task } from '../core/contracts/task';
import { addTallies, equivalentStddev } from '../core/federation/panels/panel-tally';
import { chooseCandidates, type JudgedProposal } from '../core/federation/panels/choose-candidates';
import { type StageChange } from '../core/model/deployment-messages';
import { type Deployments } from '../core/model/deployments';
import { encodeModel, sha256Of } from '../core/model/model-file';
import { type GlobalModel } from '../core/model/types';
import { type Producer } from '../core/platform/kafka';
import { requireUndecided } from './shared/decided';
import { combinedSums, possiblePanelScores } from './shared/possible-reports';
import { PROPOSALS, REFITS } from './shared/proposals';
import { deployModels, trainedBase } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

export interface DeployDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
}

/** Deployments of one round, of which all but the last were left behind by a reset: the name has three digits for it. */
const MOST_NAMES = 999;

interface Candidate {
  readonly version: VersionId;
  readonly role: CandidateRole | null;
  /** Of the linear one: the network that was elected beside it. */
  readonly network: NetworkRole | null;
  readonly proposal: string;
}

/** Of past rounds, as `ask` found it. */
export interface Evidence {
  readonly networks: readonly number[];
  readonly linear: readonly number[];
}

/**
 * Step 5: choose the candidates by the proposals' scores on panels and by past rounds, and deploy them: the elected one as `v<round>`,
 * the other beside it under its role's name, so that the next rounds have evidence.
 * @throws FedloopError `RoundOvertaken` for a closed round.
 */
export async function deploy(
  { producer, deployments, inbox }: DeployDependencies,
  plan: RoundPlan,
  aggregated: AggregateResult,
  evidence: Evidence,
): Promise<DeployResult> {
  await requireUndecided(deployments, plan);
  const base = trainedBase(deployments, plan.champion);
  const sites = await inbox.descriptions(plan);
  const { possible: panelScores, refused } = possiblePanelScores(await inbox.panelScores(plan), sites);
  const sums = await inbox.refitSums(plan);
  const { shape } = base.model.metadata;
  const summed = [...REFITS.map(({ of }) => of), PROPOSALS.linear];
  const refusedSums = summed.flatMap((proposal) => combinedSums(sums, sites, proposal, shape).refused);
  const { candidates, feedbackUsed: chosenBy } = candidatesOf(plan, aggregated, panelScores, evidence);
  // A process that has read the panels' scores has read the refits too: they were published first.
  const feedbackUsed = {
    ...chosenBy,
    ...(aggregated.wantsPanels && {
      steady_refit_share: inbox.refitShare(plan, PROPOSALS.steadyRefitted),
      refit_share: inbox.refitShare(plan, PROPOSALS.responsiveRefitted),
      linear_share: inbox.refitShare(plan, PROPOSALS.linear),
      impossible_panel_scores: refused,
      impossible_refit_sums: refusedSums.length,
    }),
  };
  const { task } = deployments.settings();
  const made = await Promise.all(
    candidates.map(async ({ version, role, network, proposal }) => ({
      role,
      model: {
        metadata: {
          ...base.model.metadata,
          version,
          residualStddev: residualStddev(panelScores, proposal, base.model),
        },
        weights: await inbox.proposal(plan, proposal),
      },
      lineage: lineageOf(
        plan,
        { role, network, proposal },
        { base: base.version, contributors: aggregated.contributors },
        { feedbackUsed, task },
      ),
    })),
  );
  const named = underFreeNames(deployments, plan.round, made);
  const versions = named.map(({ model }) => model.metadata.version);
  await deployModels(producer, deployments, named, [
    ...leftBehind(deployments, plan, versions),
    ...named.filter((own) => !isInOthersHands(deployments, own)).map((own) => asCandidate(plan, own)),
  ]);
  const [elected] = named;
  if (elected === undefined) throw new FedloopError('Internal', `round ${plan.round} has no candidate`);
  return {
    elected: { version: elected.model.metadata.version, role: elected.role },
    candidates: versions,
    feedbackUsed,
  };
}

interface Made {
  readonly role: CandidateRole | null;
  readonly model: GlobalModel;
  readonly lineage: Lineage;
}

/**
 * The weights of a version that was deployed are final. A round that was reset and makes other ones deploys them as `v<round>.2`, and so on; the same
 * ones keep their names.
 */
function underFreeNames(
  deployments: Pick<Deployments, 'find'>,
  round: number,
  made: readonly Made[],
): readonly Made[] {
  for (let again = 1; again <= MOST_NAMES; again += 1) {
    const named = made.map((own) => renamed(own, round, again));
    const isFree = named.every(({ model }) => {
      const known = deployments.find(model.metadata.version);
      return known === undefined || known.message.sha256 === sha256Of(encodeModel(model));
    });
    if (isFree) return named;
  }
  throw new FedloopError('InvalidInput', `round ${round} has deployed ${MOST_NAMES} times`, {
    hint: 'Cancel it and start a new round.',
  });
}

/** Before a reset of the round, a person or a check of the champion has given it a stage. That stands. */
function isInOthersHands(deployments: Pick<Deployments, 'find'>, { model }: Made): boolean {
  const stage = deployments.find(model.metadata.version)?.stage.stage;
  return stage === 'champion' || stage === 'shadow' || stage === 'rolled-back';
}

function asCandidate({ round, strategy }: RoundPlan, { model, role }: Made): StageChange {
  const reason = role === null ? `made by ${strategy}` : `the ${role} candidate of ${strategy}`;
  return { version: model.metadata.version, stage: 'candidate', round, reason };
}

function renamed({ model, ...own }: Made, round: number, again: number): Made {
  const { version } = model.metadata;
  const name = versionIdSchema.parse(version.replace(versionOfRound(round), versionOfRound(round, again)));
  return { ...own, model: { ...model, metadata: { ...model.metadata, version: name } } };
}

/** Candidates of the same round from before a reset. */
function leftBehind(
  deployments: Pick<Deployments, 'versions'>,
  { round }: RoundPlan,
  own: readonly VersionId[],
): StageChange[] {
  return deployments
    .versions()
    .filter(({ version, stage }) => stage.stage === 'candidate' && !own.includes(version))
    .map(({ version }) => ({ version, stage: 'retired', round, reason: 'its round was reset' }));
}

/** The elected candidate first. */
function candidatesOf(
  plan: RoundPlan,
  aggregated: AggregateResult,
  panelScores: readonly PanelScore[],
  evidence: Evidence,
): { readonly candidates: readonly Candidate[]; readonly feedbackUsed: Lineage['feedback_used'] } {
  const version = versionOfRound(plan.round);
  if (!aggregated.wantsPanels) {
    return {
      candidates: [{ version, role: null, network: null, proposal: PROPOSALS.sole }],
      feedbackUsed: aggregated.feedbackUsed,
    };
  }
  const judgedPair = (
    proposal: string,
    refit: string,
  ): { proposal: JudgedProposal; refitted: JudgedProposal | null } => ({
    proposal: judged(panelScores, proposal),
    refitted: panelScores.some((score) => score.proposal === refit) ? judged(panelScores, refit) : null,
  });
  const hasLinear = panelScores.some(({ proposal }) => proposal === PROPOSALS.linear);
  const chosen = chooseCandidates({
    parts: plan.parts,
    steady: judgedPair(PROPOSALS.steady, PROPOSALS.steadyRefitted),
    responsive: judgedPair(PROPOSALS.responsive, PROPOSALS.responsiveRefitted),
    evidence: evidence.networks,
    linearEvidence: hasLinear ? evidence.linear : undefined,
  });
  // A responsive proposal that the gate stopped is not deployed; the champion stands in for it on the live windows.
  const isStopped = chosen.responsive === 'champion';
  const network = isStopped ? 'steady' : chosen.network;
  const elected = isStopped && chosen.elected === 'responsive' ? 'steady' : chosen.elected;
  const made: readonly Omit<Candidate, 'version'>[] = [
    {
      role: 'steady',
      network: null,
      proposal: chosen.steady === 'refitted' ? PROPOSALS.steadyRefitted : PROPOSALS.steady,
    },
    ...(isStopped
      ? []
      : [
          {
            role: 'responsive',
            network: null,
            proposal: chosen.responsive === 'refitted' ? PROPOSALS.responsiveRefitted : PROPOSALS.responsive,
          } as const,
        ]),
    ...(hasLinear ? [{ role: 'linear', network, proposal: PROPOSALS.linear } as const] : []),
  ];
  const serving = made.find(({ role }) => role === elected);
  const candidates = made
    .toSorted((one, other) => Number(other === serving) - Number(one === serving))
    .map((own) => ({
      ...own,
      version: own === serving ? version : versionIdSchema.parse(`${version}-${own.role ?? ''}`),
    }));
  return { candidates, feedbackUsed: { ...aggregated.feedbackUsed, ...chosen.feedbackUsed } };
}

/** How a proposal did on panels B and C of all sites together. */
function judged(scores: readonly PanelScore[], proposal: string): JudgedProposal {
  const own = scores.filter((score) => score.proposal === proposal);
  return { b: addTallies(own.map(({ b }) => b)), c: addTallies(own.map(({ c }) => c)) };
}

/** What the proposal's stated confidence starts from: its errors on panel C, in the target's unit. */
function residualStddev(scores: readonly PanelScore[], proposal: string, base: GlobalModel): number | null {
  const stddev = equivalentStddev(judged(scores, proposal).c);
  return stddev === null ? null : stddev * base.metadata.tolerance;
}

function lineageOf(
  plan: RoundPlan,
  { role, network, proposal }: Omit<Candidate, 'version'>,
  { base, contributors }: Pick<AggregateResult, 'contributors'> & { readonly base: VersionId },
  { feedbackUsed, task }: { readonly feedbackUsed: Lineage['feedback_used']; readonly task: Task },
): Lineage {
  // A refit changes the output layer of a proposal; whose updates are in it stays.
  const made = REFITS.find(({ into }) => into === proposal)?.of ?? proposal;
  const whose = contributors.find((known) => known.proposal === made);
  return {
    round: plan.round,
    // The champion first, whose place it would take; then the network beside a linear one, which was trained on.
    parents: [...new Set([plan.champion, ...(role === 'linear' ? [] : [base])])],
    strategy: plan.strategy,
    role,
    network,
    seed: plan.seed,
    devices: whose?.devices ?? 0,
    devices_sha256: whose?.sha256 ?? null,
    data_from: plan.trainUntil - (plan.training.windows - 1 + historyWindows(task)) * task.windowMicros,
    data_until: plan.trainUntil,
    feedback_used: feedbackUsed,
    attempt: plan.attempt,
    training: plan.takes?.train ?? plan.attempt,
    adapters: plan.parts.adapters,
  };
}
