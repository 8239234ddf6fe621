import { type Stage } from '../core/contracts/deployments';
import { type VersionId } from '../core/contracts/ids';
import { type DecideInput, type DecideResult, type WithdrawInput } from '../core/contracts/steps';
import { decodeState, encodeState, withoutMomentum } from '../core/federation/strategies/server-state';
import { logDeployment, type DeployedVersion, type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { championChanged, earlierDecision } from './shared/decided';
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
 * shadow, where it is measured in case of a rollback; the version that was in shadow retires. Once it is carried out, it stands: the same try at
 * the round decides nothing a second time.
 * @throws FedloopError `RoundOvertaken` when another run has decided the round, or a later round has come.
 */
export async function decide(dependencies: DecideDependencies, input: DecideInput): Promise<DecideResult> {
  const { deployments, producer } = dependencies;
  const { round, champion, elected, candidates, evaluation } = input;
  const earlier = await earlierDecision(deployments, input, evaluation.verdict);
  if (earlier !== null) {
    // A retry, or a reset of a closed round: only the files may be missing.
    if (deployments.champion()?.version === elected) await publishFiles(dependencies, input);
    return earlier;
  }
  // This is a retry, and its own promotion was rolled back since: only a person brings such a version back.
  if (deployments.find(elected)?.stage.stage === 'rolled-back') return evaluation.verdict;
  const serving = deployments.champion();
  const verdict = stillValid(evaluation.verdict, serving, input);
  const promoted = verdict.decision === 'promoted';

  // Whoever promoted a candidate by hand meanwhile has the last word: the version that serves is neither retired nor rejected.
  const others = candidates.filter((version) => version !== elected && version !== serving?.version);
  const changes: StageChange[] = others.map((version) => stage(version, 'retired', `${elected} was elected`));
  if (promoted) {
    const shadows = deployments
      .versions()
      .filter((known) => known.stage.stage === 'shadow' && known.version !== champion);
    changes.push(
      // It comes first in the log, so that there always is a champion. Where a person promoted it meanwhile, or an earlier try has, it is one.
      ...(elected === serving?.version ? [] : [stage(elected, 'champion', verdict.reason)]),
      ...shadows.map(({ version }) => stage(version, 'retired', `${champion} is the predecessor now`)),
      // One that a person took out of service meanwhile stays out.
      ...(deployments.find(champion)?.stage.stage === 'rolled-back'
        ? []
        : [stage(champion, 'shadow', `${elected} took its place`)]),
    );
  } else if (elected !== serving?.version) {
    changes.push(stage(elected, 'rejected', verdict.reason));
  }
  await deployModels(producer, deployments, [], changes);
  await closeServerState(dependencies, input, verdict);
  if (promoted) await publishFiles(dependencies, input);
  return verdict;

  function stage(version: VersionId, next: Stage, reason: string): StageChange {
    return { version, stage: next, round, reason };
  }
}

/**
 * The verdict, unless another version than the round's champion serves by now (a rollback or a promotion by hand came in between): the comparison is
 * void then, and what serves is kept.
 */
function stillValid(
  verdict: DecideResult,
  serving: DeployedVersion | undefined,
  { champion, elected }: DecideInput,
): DecideResult {
  if (serving?.version === champion) return verdict;
  // A retry may find its own promotion carried out already.
  if (serving?.version === elected && verdict.decision === 'promoted') return verdict;
  return { decision: 'kept', reason: championChanged(serving, champion) };
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
 * The strategy's pending state becomes current with the promotion; after a rejection without its momentum. It comes last, with the decision: from
 * then on the round is decided.
 */
async function closeServerState(
  { producer, deployments }: DecideDependencies,
  { attempt }: DecideInput,
  decided: DecideResult,
): Promise<void> {
  const pending = deployments.serverState('pending');
  if (pending === undefined) return;
  const isPromoted = decided.decision === 'promoted';
  const state = isPromoted ? pending.state : encodeState(withoutMomentum(decodeState(pending.state)));
  await logDeployment(producer, [{ ...pending, kind: 'current', state, decided: { attempt, ...decided } }]);
}
