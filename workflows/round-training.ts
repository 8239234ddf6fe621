import { patched, uuid4 } from '@temporalio/workflow';
import { type ContributionResult } from '../core/contracts/contribution';
import { type SiteName, type VersionId } from '../core/contracts/ids';
import { partsFor, type FederatedRoundInput, type LoopParts } from '../core/contracts/rounds';
import {
  type AggregateResult,
  type AskResult,
  type MessageRange,
  type RoundPlan,
  type RoundRef,
  type Selection,
  type SendingStep,
  type SitePlan,
} from '../core/contracts/steps';
import { addReasons } from '../core/contracts/updates';
import { measureContribution, toMeasure } from './contribution';
import { type RoundControl } from './round-control';
import { feedbackOfSites } from './site-feedback';
import { type RoundSteps } from './steps';

/** What the first half of a round passes to the second. */
export interface Prepared {
  readonly asked: AskResult;
  readonly plan: RoundPlan;
  readonly aggregated: AggregateResult;
  /** Null where it is not measured. */
  readonly contribution: ContributionResult | null;
}

/** Select, train locals, score locals, aggregate: nothing that serves changes yet. */
export async function trainAndAggregate(
  control: RoundControl,
  { rounds, sites }: RoundSteps,
  asked: AskResult,
  attempt: string,
): Promise<Prepared> {
  const selected = await selectDevices(control, { rounds, sites }, asked, attempt);
  const { champion, planFor } = selected;
  const { settings } = control;
  await control.enter('train locals', { champion });
  const planned = planOf(selected, { ...settings, minUpdates: control.settings.minUpdates });
  const training = nextTake(planned, 'train');
  const trained = await Promise.all(sites.map((site) => site.trainLocals(planFor(training, site.name))));
  const trainedTo = lastOf(trained);

  await control.enter('score locals', {
    devicesTrained: trained.reduce((sum, { trained: count }) => sum + count, 0),
    leftOut: addReasons(trained.map(({ leftOut }) => leftOut)),
  });
  const scoring = nextTake(training, 'score');
  const scored = await Promise.all(
    sites.map((site) => site.scoreLocals(planFor(scoring, site.name), trainedTo)),
  );

  await control.enter('aggregate');
  const plan = nextTake(scoring, 'aggregate');
  const aggregated = await rounds.aggregate(
    plan,
    { last: trainedTo, feedbackUsed: feedbackOfSites(trained) },
    lastOf(scored),
    asked.evidence,
  );
  control.report({ leftOut: aggregated.leftOut });
  const judged = await judgeOnPanels(plan, planFor, { rounds, sites }, aggregated);
  const contribution = await measureContribution({ rounds }, judged, trainedTo, aggregated.contribution);
  return { asked, plan: judged, aggregated, contribution };
}

type PlanFor = (plan: RoundPlan, site: SiteName) => SitePlan;

interface Selected {
  readonly described: RoundRef;
  readonly champion: VersionId;
  readonly selection: Omit<Selection, 'quotas' | 'champion'>;
  /** The plan as each site gets it, with its share. */
  readonly planFor: PlanFor;
}

/** Sites describe themselves; participants and panels are shared over them. Before the first round v0 is made. */
export async function selectDevices(
  control: RoundControl,
  { rounds, sites }: Pick<RoundSteps, 'rounds' | 'sites'>,
  asked: AskResult,
  attempt: string,
): Promise<Selected> {
  await control.enter('select', { round: asked.round, champion: asked.champion });
  const { settings } = control;
  const described = nextTake({ round: asked.round, attempt }, 'describe');
  await Promise.all(
    sites.map((site) =>
      site.describeSite({
        ...described,
        withFeatureSums: asked.champion === null,
        trainingWindows: settings.training.windows,
      }),
    ),
  );
  const { seed } = settings;
  const {
    quotas,
    champion: serving,
    ...selection
  } = await rounds.select({
    ...described,
    participants: settings.participants,
    sites: settings.sites,
    minUpdates: settings.minUpdates,
    ...(asked.champion === null ? { firstVersionSeed: seed } : {}),
  });
  const champion = asked.champion ?? serving ?? (await rounds.deployFirstVersion({ ...described, seed }));
  return {
    described,
    champion,
    selection,
    planFor: (plan, name) => ({ ...plan, quota: quotas.find(({ site }) => site === name) ?? null }),
  };
}

/** The plan of a round before its first step that sends anything. */
export function planOf(
  { described, champion, selection }: Selected,
  { seed, strategy, strategySettings, parts, training, privacy, minUpdates }: FederatedRoundInput,
): RoundPlan {
  return {
    ...described,
    champion,
    ...selection,
    seed,
    strategy,
    strategySettings,
    parts: partsFor(strategy, parts),
    training,
    privacy: privacy ?? null,
    minUpdates,
  };
}

/** A step that sends messages begins: what it sends has a name of its own. A reset changes every name that is drawn behind its point. */
export function nextTake<Ref extends RoundRef>(ref: Ref, step: SendingStep): Ref {
  return { ...ref, takes: { ...ref.takes, [step]: uuid4() } };
}

/**
 * Sites send additive sums; the refitted proposals join the others, and panels B and C judge them all. Where the strategy wants no panels, panel C only
 * measures contributions.
 */
export async function judgeOnPanels(
  aggregated: RoundPlan,
  planFor: PlanFor,
  { rounds, sites }: Pick<RoundSteps, 'rounds' | 'sites'>,
  {
    wantsPanels,
    proposals,
    contribution: planned,
  }: Pick<AggregateResult, 'wantsPanels' | 'proposals' | 'contribution'>,
): Promise<RoundPlan> {
  const contribution = toMeasure(planned);
  if (!wantsPanels && contribution === null) return aggregated;
  let plan = aggregated;
  let refitted: readonly string[] = [];
  if (wantsPanels && wantsSums(plan.parts)) {
    const summing = nextTake(plan, 'sum panels');
    await Promise.all(sites.map((site) => site.sumPanels(planFor(summing, site.name))));
    plan = nextTake(summing, 'refit');
    refitted = await rounds.refit(plan);
  }
  const judging = nextTake(plan, 'score proposals');
  const names = wantsPanels ? [...proposals, ...refitted] : [];
  await Promise.all(
    sites.map((site) =>
      site.scoreProposals(
        planFor(judging, site.name),
        names,
        ...(contribution === null ? [] : [contribution]),
      ),
    ),
  );
  return judging;
}

/** Recorded histories of a round without refits made no linear model either. */
function wantsSums({ refit, steadyRefit, linear }: LoopParts): boolean {
  return refit || steadyRefit || (linear && patched('linear-without-refits'));
}

/** Offset in `model-updates`, which has one partition, up to which all messages of these sites stand. */
function lastOf(sent: readonly MessageRange[]): number {
  return Math.max(-1, ...sent.map(({ last }) => last));
}
