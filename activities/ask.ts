import { Context } from '@temporalio/activity';
import { type CandidateRole, type NetworkRole } from '../core/contracts/deployments';
import { type Feedback } from '../core/contracts/feedback';
import { type AskInput, type AskResult } from '../core/contracts/steps';
import { EVIDENCE_ROUNDS } from '../core/federation/constants';
import { type DeployedVersion, type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { latestRound, requireUndecided, ROUNDS_AHEAD } from './shared/decided';
import { type FeedbackLog } from './shared/feedback-log';
import { withOwnStrategy } from './shared/own-strategy';
import { requireBudget } from './shared/privacy-ledger';
import { deployModels } from './shared/registry';

export interface AskDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly feedback: FeedbackLog;
  readonly searchAttributes: boolean;
  /** Folder of strategies of one's own. */
  readonly strategies?: string | undefined;
}

/**
 * Step 0: the champion, its live accuracy, and the number of the round. A run that was reset keeps the number under which it has deployed.
 * @throws FedloopError `RoundOvertaken` when that round has been decided, or another one came after it; `PrivacyBudgetSpent` before anything
 *   is trained that no budget is left for, and those of `withOwnStrategy` before anything is trained that it could not aggregate.
 */
export async function ask(
  { producer, deployments, feedback, searchAttributes, strategies }: AskDependencies,
  { attempt, privacy, own: wanted }: AskInput = {},
): Promise<AskResult> {
  await deployments.sync();
  if (privacy !== undefined) requireBudget(deployments, privacy);
  if (wanted !== undefined)
    await withOwnStrategy(strategies, wanted.strategy, (running) => running.settings(wanted.settings));
  const own = deployments
    .versions()
    .find(({ message }) => attempt !== undefined && message.lineage.attempt === attempt)?.message
    .lineage.round;
  if (own !== undefined) await requireUndecided(deployments, { round: own, attempt: attempt ?? '' });
  await retireLeftovers(producer, deployments);
  const champion = deployments.champion()?.version ?? null;
  const [latest, verdicts, measured] = await Promise.all([
    champion === null ? null : feedback.latest(champion),
    feedback.roundVerdicts(),
    feedback.measuredRounds(),
  ]);
  return {
    round: own ?? 1 + lastRound(deployments, measured),
    champion,
    feedback: latest,
    ...evidenceOf(verdicts, deployments),
    searchAttributes,
  };
}

/**
 * The latest round that was decided or made a version. A broker that lost the end of `model-deployments` has versions measured that it does not know any more:
 * their names must not be given to other models.
 */
function lastRound(deployments: Deployments, measured: readonly number[]): number {
  const deployed = latestRound(deployments);
  const lost = measured.filter((round) => round > deployed && round <= deployed + ROUNDS_AHEAD);
  if (lost.length === 0) return deployed;
  const last = Math.max(...lost);
  Context.current().log.error(
    `model-deployments has lost versions: those of round ${last} were measured, and it ends with round ${deployed}; their names are not used again`,
  );
  return last;
}

/** Rounds never overlap: candidates in force when a round begins belong to one that was terminated and could not withdraw them. */
async function retireLeftovers(producer: Producer, deployments: Deployments): Promise<void> {
  const left = deployments.versions().filter(({ stage }) => stage.stage === 'candidate');
  await deployModels(
    producer,
    deployments,
    [],
    left.map(({ version, stage: { round } }) => ({
      version,
      stage: 'retired',
      round,
      reason: 'its round was broken off',
    })),
  );
}

/** What past rounds showed, oldest first: differences of accuracy (−1 to 1). */
type Evidence = Required<Pick<AskResult, 'evidence' | 'linearEvidence'>>;

/**
 * Responsive minus steady accuracy of the last rounds that tried both, and linear minus the elected network, on the windows that judged them. Where the
 * panel gate put the champion in the responsive one's place, the champion's accuracy on the same windows counts.
 */
export function evidenceOf(
  verdicts: readonly Feedback[],
  deployments: Pick<Deployments, 'versions'>,
): Evidence {
  const byRound = new Map<number, Feedback[]>();
  for (const verdict of verdicts) {
    if (verdict.round === null) continue;
    byRound.set(verdict.round, [...(byRound.get(verdict.round) ?? []), verdict]);
  }
  const rounds = [...byRound]
    .sort(([one], [other]) => one - other)
    .map(([round, judged]) => {
      const made = deployments.versions().filter(({ message }) => message.lineage.round === round);
      return judgedRound(judged, made);
    });
  const lastOf = (difference: (round: JudgedRound) => number): readonly number[] =>
    rounds
      .map(difference)
      .filter((value) => !Number.isNaN(value))
      .slice(-EVIDENCE_ROUNDS);
  return {
    evidence: lastOf(({ responsive, steady }) => responsive - steady),
    linearEvidence: lastOf(({ linear, steady, responsive, network }) =>
      network === null ? NaN : linear - { steady, responsive }[network],
    ),
  };
}

/** Accuracy of a round's candidates; NaN of one that was not judged. */
interface JudgedRound extends Readonly<Record<CandidateRole, number>> {
  readonly network: NetworkRole | null;
}

function judgedRound(judged: readonly Feedback[], made: readonly DeployedVersion[]): JudgedRound {
  const accuracyOf = (role: CandidateRole): number | undefined => {
    // A round that was reset has made more versions than were judged.
    const own = made.filter(({ message }) => message.lineage.role === role).map(({ version }) => version);
    return judged.find((verdict) => own.includes(verdict.model_version))?.accuracy;
  };
  const ownVersions = new Set(made.map(({ version }) => version));
  const championAccuracy = judged.find((verdict) => !ownVersions.has(verdict.model_version))?.accuracy;
  return {
    steady: accuracyOf('steady') ?? NaN,
    responsive: accuracyOf('responsive') ?? championAccuracy ?? NaN,
    linear: accuracyOf('linear') ?? NaN,
    network: made.find(({ message }) => message.lineage.role === 'linear')?.message.lineage.network ?? null,
  };
}
