import { type ServerStateMessage, type Stage } from '../core/contracts/deployments';
import { type VersionId } from '../core/contracts/ids';
import { type DecideInput, type DecideResult, type WithdrawInput } from '../core/contracts/steps';
import { decodeState, encodeState, withoutMomentum } from '../core/federation/strategies/server-state';
import { type DeployedVersion, type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { championChanged, earlierDecision, takenOut } from './shared/decided';
import { type LatestModel } from './shared/latest-model';
import { deployModels } from './shared/registry';
import { type StageChange } from '../core/model/deployment-messages';

export interface DecideDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly latestModel: Pick<LatestModel, 'publish'>;
}

/**
 * Step 7: carry out the gate's verdict: promote the elected candidate, or keep the champion. The champion that it replaces stays in
 * shadow, where it is measured in case of a rollback; the version that was in shadow retires. What people have done with a version meanwhile
 * stands. The decision is one write, stages and all: once it is carried out, the same try at the round decides nothing a second time.
 * @throws FedloopError `RoundOvertaken` when another run has decided the round, or a later round has come.
 */
export async function decide(dependencies: DecideDependencies, input: DecideInput): Promise<DecideResult> {
  const { deployments, producer } = dependencies;
  const { elected, evaluation } = input;
  const earlier = await earlierDecision(deployments, input, evaluation.verdict);
  if (earlier !== null) {
    // A retry, or a reset of a closed round: only the files may be missing.
    if (deployments.champion()?.version === elected) await publishFiles(dependencies, input);
    return earlier;
  }
  const verdict = stillValid(evaluation.verdict, deployments, input);
  const changes = stageChanges(deployments, input, verdict);
  await deployModels(producer, deployments, [], changes, closedState(deployments, input, verdict));
  if (verdict.decision === 'promoted') await publishFiles(dependencies, input);
  return verdict;
}

/**
 * The verdict, unless another version than the round's champion serves by now (a rollback or a promotion by hand came in between): the comparison is
 * void then, and what serves is kept. So it is where the candidate was taken out of service again: only a person brings it back.
 */
function stillValid(
  verdict: DecideResult,
  deployments: Deployments,
  { champion, elected }: DecideInput,
): DecideResult {
  const serving = deployments.champion();
  const own = deployments.find(elected);
  if (serving?.version === champion) {
    const isOut = own !== undefined && own.stage.stage !== 'candidate';
    return isOut && verdict.decision === 'promoted' ? { decision: 'kept', reason: takenOut(own) } : verdict;
  }
  // A person has promoted it already.
  if (serving?.version === elected && verdict.decision === 'promoted') return verdict;
  return { decision: 'kept', reason: championChanged(serving, champion) };
}

/** What becomes of the round's candidates and of the versions that they are compared with. Candidates that a person gave a stage keep it. */
function stageChanges(
  deployments: Deployments,
  { round, champion, elected, candidates }: DecideInput,
  { decision, reason }: DecideResult,
): readonly StageChange[] {
  const isOpen = (version: VersionId): boolean => deployments.find(version)?.stage.stage === 'candidate';
  const stage = (version: VersionId, next: Stage, why: string): StageChange => ({
    version,
    stage: next,
    round,
    reason: why,
  });
  const others = candidates
    .filter((version) => version !== elected && isOpen(version))
    .map((version) => stage(version, 'retired', `${elected} was elected`));
  if (decision !== 'promoted')
    return isOpen(elected) ? [...others, stage(elected, 'rejected', reason)] : others;
  const shadows = deployments
    .versions()
    .filter((known) => known.stage.stage === 'shadow' && known.version !== champion);
  return [
    ...others,
    // It comes before its predecessor, so that there always is a champion.
    ...(isOpen(elected) ? [stage(elected, 'champion', reason)] : []),
    ...shadows.map(({ version }) => stage(version, 'retired', `${champion} is the predecessor now`)),
    // One that a person took out of service meanwhile stays out.
    ...(deployments.find(champion)?.stage.stage === 'rolled-back'
      ? []
      : [stage(champion, 'shadow', `${elected} took its place`)]),
  ];
}

/** A round that ends early leaves no candidate of its own in force. Champion and tables stay as they were. */
export async function withdraw(
  { producer, deployments }: Pick<DecideDependencies, 'producer' | 'deployments'>,
  { round, reason }: WithdrawInput,
): Promise<void> {
  await deployments.sync();
  const open = deployments
    .versions()
    .filter(({ message, stage }) => message.lineage.round === round && stage.stage === 'candidate');
  await deployModels(
    producer,
    deployments,
    [],
    open.map(({ version }) => ({ version, stage: 'retired', round, reason })),
  );
}

async function publishFiles(
  { latestModel }: DecideDependencies,
  { elected, evaluation }: DecideInput,
): Promise<void> {
  const accuracy = evaluation.scores.find((score) => score.version === elected)?.accuracy ?? null;
  await latestModel.publish({ version: elected, accuracy });
}

/**
 * The strategy's pending state becomes current with the promotion; after a rejection without its momentum, unless nothing was trained that it would come
 * from. It comes last, with the decision: from then on the round is decided.
 */
function closedState(
  deployments: Pick<Deployments, 'find' | 'serverState'>,
  { attempt, elected }: DecideInput,
  decided: DecideResult,
): readonly ServerStateMessage[] {
  const pending = deployments.serverState('pending');
  if (pending === undefined) return [];
  const keeps = decided.decision === 'promoted' || !wasTrained(deployments.find(elected));
  const state = keeps ? pending.state : encodeState(withoutMomentum(decodeState(pending.state)));
  return [{ ...pending, kind: 'current', state, decided: { attempt, ...decided } }];
}

/** A refit between rounds was not. */
function wasTrained(version: DeployedVersion | undefined): boolean {
  return version?.message.lineage.training !== null;
}
