import { aggregateRound } from '../federation/aggregation/aggregate';
import { isPossibleClaim } from '../federation/aggregation/update-checks';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../federation/constants';
import { combineRoots, rootOf } from '../federation/aggregation/root-update';
import { effectsOfFeedback } from '../federation/training/feedback-rules';
import { planRound, type RoundPlan } from '../federation/panels/selection';
import { type ServerState } from '../federation/strategies/server-state';
import { chooseCandidates } from '../federation/panels/choose-candidates';
import { strategyByName } from '../federation/strategies';
import { controlOf } from '../federation/strategies/scaffold';
import { learnedBy, type ControlVariates } from '../federation/training/control-variates';
import { type LocalUpdate, type Proposal } from '../federation/strategies/strategy';
import { plus } from '../federation/vectors';
import { stepsOfTraining } from '../model/epoch-plan';
import { type FlatWeights } from '../model/types';
import { seededRandom } from '../platform/random';
import { type Feedback } from '../contracts/feedback';
import { type LoopParts } from '../contracts/rounds';
import { correctsGradients, needsRoot, type StrategyName } from '../contracts/strategies';
import { NO_CHANGES } from './changes';
import { type RoundGraphs } from './graphs';
import { bySite, judgeOf, panelsOf, realAccuracy } from './panels';
import { refittedTo } from './refit-candidate';
import { type RoundWorld } from './world';

/** How rounds are run. */
export interface RoundRules {
  readonly strategy: StrategyName;
  readonly strategySettings: Readonly<Record<string, number>>;
  readonly parts: LoopParts;
  /** `feedback`: the band around the boundary is as wide as the champion's live error. A number: that width always. */
  readonly boundaryWidth: 'feedback' | number;
  readonly seed: number;
  readonly participants: number | 'all';
}

export interface Candidates {
  readonly steady: FlatWeights;
  /** The same as `steady` for strategies with one candidate. */
  readonly responsive: FlatWeights;
  readonly elected: 'steady' | 'responsive';
  readonly hasRoles: boolean;
  /** Local models that were trained. */
  readonly trained: number;
  readonly state: ServerState;
}

export interface RoundSoFar {
  readonly round: number;
  /** The newest window that is closed. */
  readonly until: number;
  readonly champion: FlatWeights;
  readonly state: ServerState | null;
  /** What SCAFFOLD remembers of each device: one for all rounds. */
  readonly controls: ControlVariates;
  readonly evidence: readonly number[];
  /** On the champion's live windows; null before there are any. */
  readonly feedback: Feedback | null;
}

/** The steps of a round up to the deployment of its candidates, with the code that the workers run. */
export async function makeCandidates(
  world: RoundWorld,
  rules: RoundRules,
  graphs: RoundGraphs,
  soFar: RoundSoFar,
  changes = NO_CHANGES,
): Promise<Candidates> {
  const { round, champion } = soFar;
  const { parts, seed, participants } = rules;
  const plan = planRound({ seed, round, devices: world.devices, participants });
  const sent = changes.updates(await trainLocals(world, rules, graphs, plan, soFar));
  const updates = sent.filter((update) => isPossibleClaim(update, graphs.training.windows));
  const panels = panelsOf(world, plan, soFar.until, changes);
  const { shape } = graphs;
  const { proposals, state } = aggregateRound({
    strategy: strategyByName(rules.strategy),
    strategySettings: rules.strategySettings,
    updates,
    base: champion,
    learningRate: graphs.training.learningRate,
    localSteps: (rows) => stepsOfTraining(rows, graphs.training),
    fleetDevices: world.devices.length,
    state: soFar.state,
    realAccuracy: parts.realWeights ? await realAccuracy(graphs, champion, updates, panels, changes) : null,
    rootUpdate: await trainRoots(world, rules, graphs, plan, soFar),
    parts,
    noise: null,
  });
  const weightsOf = (role: Proposal['role']): FlatWeights | null => {
    const proposal = proposals.find((made) => made.role === role);
    return proposal === undefined ? null : plus(champion, proposal.delta);
  };
  const [steady, responsive] = [weightsOf('steady'), weightsOf('responsive')];
  if (steady === null || responsive === null)
    return soleCandidate(weightsOf(null) ?? champion, { trained: updates.length, state });
  const judge = judgeOf(graphs, champion, panels, changes);
  const steadyRefit = parts.steadyRefit ? refittedTo(LONG_WINDOWS, shape, steady, panels, changes) : null;
  const responsiveRefit = parts.refit ? refittedTo(RECENT_WINDOWS, shape, responsive, panels, changes) : null;
  const chosen = chooseCandidates({
    parts,
    steady: { proposal: await judge(steady), refitted: steadyRefit && (await judge(steadyRefit)) },
    responsive: {
      proposal: await judge(responsive),
      refitted: responsiveRefit && (await judge(responsiveRefit)),
    },
    evidence: soFar.evidence,
  });
  return {
    steady: chosen.steady === 'refitted' ? (steadyRefit ?? steady) : steady,
    responsive: { proposal: responsive, refitted: responsiveRefit ?? responsive, champion }[
      chosen.responsive
    ],
    elected: chosen.network,
    hasRoles: true,
    trained: updates.length,
    state,
  };
}

/** Of a strategy that makes one proposal. */
function soleCandidate(sole: FlatWeights, about: Pick<Candidates, 'trained' | 'state'>): Candidates {
  return { steady: sole, responsive: sole, elected: 'steady', hasRoles: false, ...about };
}

/** The update that sites train on panel A, where the strategy needs one. */
async function trainRoots(
  world: RoundWorld,
  { strategy, parts, boundaryWidth: wanted, seed }: RoundRules,
  graphs: RoundGraphs,
  plan: RoundPlan,
  { round, until, champion, feedback }: RoundSoFar,
): Promise<FlatWeights | null> {
  if (!needsRoot(strategy)) return null;
  const trainer = await graphs.trainer(0);
  const sent: FlatWeights[] = [];
  for (const [site, ids] of bySite(world, plan.panels.A)) {
    const { deltas } = await trainer.train(world.trainingRows(ids, until), {
      base: champion,
      boundaryWidth: boundaryWidthOf(wanted, parts, feedback),
      random: seededRandom(seed, 'root-update', round, site),
    });
    const update = rootOf(deltas, champion.length);
    if (update !== null) sent.push(update);
  }
  return combineRoots(sent, champion.length).update;
}

async function trainLocals(
  world: RoundWorld,
  { strategy, strategySettings, parts, boundaryWidth: wanted, seed }: RoundRules,
  graphs: RoundGraphs,
  plan: RoundPlan,
  { round, until, champion, feedback, state, controls }: RoundSoFar,
): Promise<LocalUpdate[]> {
  const boundaryWidth = boundaryWidthOf(wanted, parts, feedback);
  const corrected = correctsGradients(strategy);
  const control = state === null ? null : controlOf(state, champion.length);
  const server = control && { control, movedBy: String(round - 1) };
  const trainer = await graphs.trainer(strategyByName(strategy).proximal(strategySettings), corrected);
  const rows = world.trainingRows(plan.participants, until);
  const trained = await trainer.train(rows, {
    base: champion,
    boundaryWidth,
    random: seededRandom(seed, 'local-training', round),
    ...(corrected && { corrections: controls.corrections(rows.deviceIds, server, champion.length) }),
  });
  if (corrected) controls.learn(String(round), server, learnedBy(trained, graphs.training));
  const { devices, deltas } = trained;
  return devices.map((device, place) => ({
    deviceId: device.device_id,
    delta: deltas.subarray(place * champion.length, (place + 1) * champion.length),
    rows: device.rows,
    selfReportedAccuracy: device.self_reported_accuracy,
    baseLoss: device.base_loss,
  }));
}

function boundaryWidthOf(
  wanted: RoundRules['boundaryWidth'],
  parts: LoopParts,
  feedback: Feedback | null,
): number | null {
  if (typeof wanted !== 'number') return effectsOfFeedback(feedback, parts).boundaryWidth;
  return parts.boundaryWeighting ? wanted : null;
}
