import { type CandidateRole, type Lineage, type NetworkRole } from '../../core/contracts/deployments';
import { FedloopError } from '../../core/contracts/errors';
import { versionIdSchema, versionOfRound, type VersionId } from '../../core/contracts/ids';
import { type PanelScore } from '../../core/contracts/site-reports';
import { type Contributors, type DeployResult, type RoundPlan } from '../../core/contracts/steps';
import { historyWindows, type Task } from '../../core/contracts/task';
import { type JudgedProposal } from '../../core/federation/panels/choose-candidates';
import { equivalentStddev } from '../../core/federation/equivalent-stddev';
import { addTallies } from '../../core/federation/panels/panel-tally';
import { type StageChange } from '../../core/model/deployment-messages';
import { type DeployedVersion, type Deployments } from '../../core/model/deployments';
import { encodeModel, sha256Of } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';
import { type Producer } from '../../core/platform/kafka';
import { REFITS } from './proposals';
import { deployModels } from './registry';
import { type UpdateInbox } from './update-inbox';

export interface DeployDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
}

/** Deployments of one round, of which all but the last were left behind by a reset: the name has three digits for it. */
const MOST_NAMES = 999;

export interface Candidate {
  readonly version: VersionId;
  readonly role: CandidateRole | null;
  /** Of the linear one: the network that was elected beside it. */
  readonly network: NetworkRole | null;
  readonly proposal: string;
}

/** The candidates of a round, the elected one first, and what their lineage says of them. */
export interface ToDeploy {
  readonly candidates: readonly Candidate[];
  /** The network that the round trained from. */
  readonly base: DeployedVersion;
  readonly contributors: readonly Contributors[];
  readonly panelScores: readonly PanelScore[];
  readonly feedbackUsed: Lineage['feedback_used'];
  /** The try at its training, null where nothing was trained; and the windows whose readings a model was made of, up to the plan's last one. */
  readonly training: { readonly take: string | null; readonly windows: number };
  /** What `models list` says of a candidate. */
  readonly saying: (role: CandidateRole | null) => string;
}

/** Write the candidates to `model-deployments`, under names that are free; those of the same round from before a reset retire. */
export async function deployCandidates(
  { producer, deployments, inbox }: DeployDependencies,
  plan: RoundPlan,
  toDeploy: ToDeploy,
): Promise<DeployResult> {
  const { candidates, base, panelScores, feedbackUsed, saying } = toDeploy;
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
      lineage: lineageOf(plan, { role, network, proposal }, toDeploy, task),
    })),
  );
  const named = underFreeNames(deployments, plan.round, made);
  const versions = named.map(({ model }) => model.metadata.version);
  const open = named.filter((own) => !isInOthersHands(deployments, own));
  await deployModels(producer, deployments, named, [
    ...leftBehind(deployments, plan, versions),
    ...open.map(({ model, role }): StageChange => ({
      version: model.metadata.version,
      stage: 'candidate',
      round: plan.round,
      reason: saying(role),
    })),
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

/** How a proposal did on panels B and C of all sites together. */
export function judged(scores: readonly PanelScore[], proposal: string): JudgedProposal {
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
  { base, contributors, feedbackUsed, training }: ToDeploy,
  task: Task,
): Lineage {
  // A refit changes the output layer of a proposal; whose updates are in it stays.
  const made = REFITS.find(({ into }) => into === proposal)?.of ?? proposal;
  const whose = contributors.find((known) => known.proposal === made);
  return {
    round: plan.round,
    // The champion first, whose place it would take; then the network beside a linear one, which was trained on.
    parents: [...new Set([plan.champion, ...(role === 'linear' ? [] : [base.version])])],
    strategy: plan.strategy,
    role,
    network,
    seed: plan.seed,
    devices: whose?.devices ?? 0,
    devices_sha256: whose?.sha256 ?? null,
    data_from: plan.trainUntil - (training.windows - 1 + historyWindows(task)) * task.windowMicros,
    data_until: plan.trainUntil,
    feedback_used: feedbackUsed,
    attempt: plan.attempt,
    training: training.take,
    adapters: plan.parts.adapters,
    anomalies: plan.parts.anomalies,
  };
}
