import { aggregateRound } from '../federation/aggregation/aggregate';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../federation/constants';
import { effectsOfFeedback } from '../federation/training/feedback-rules';
import { scoreLocalModels, scoringPanel } from '../federation/panels/local-scoring';
import { sumPanel, tallyProposals } from '../federation/panels/panel-scoring';
import { type PanelTally } from '../contracts/site-reports';
import { addTallies } from '../federation/panels/panel-tally';
import { refitOutputLayer } from '../federation/panels/refit';
import { type Samples } from '../federation/training/samples';
import { planRound, type RoundPlan } from '../federation/panels/selection';
import { type ServerState } from '../federation/strategies/server-state';
import { chooseCandidates, type JudgedProposal } from '../federation/panels/choose-candidates';
import { strategyByName } from '../federation/strategies';
import { type LocalUpdate, type Proposal, type RealAccuracy } from '../federation/strategies/strategy';
import { plus } from '../federation/vectors';
import { type FlatWeights } from '../model/types';
import { seededRandom } from '../platform/random';
import { type Feedback } from '../contracts/feedback';
import { type LoopParts } from '../contracts/rounds';
import { type StrategyName } from '../contracts/strategies';
import { type RoundGraphs } from './graphs';
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

/** What an experiment changes in a round. */
export interface RoundChanges {
  /** An update as the server receives it. */
  readonly update: (update: LocalUpdate) => LocalUpdate;
  /** A panel's samples as they are scored. */
  readonly panel: (samples: Samples) => Samples;
}

const NO_CHANGES: RoundChanges = { update: (update) => update, panel: (samples) => samples };

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
  const updates = (await trainLocals(world, rules, graphs, plan, soFar)).map(changes.update);
  const panels = panelsOf(world, plan, soFar.until, changes.panel);
  const { shape } = graphs;
  const { proposals, state } = aggregateRound({
    strategy: strategyByName(rules.strategy),
    strategySettings: rules.strategySettings,
    updates,
    base: champion,
    learningRate: graphs.training.learningRate,
    state: soFar.state,
    realAccuracy: parts.realWeights ? await realAccuracy(graphs, champion, updates, panels.scoring) : null,
    parts,
    privacy: null,
    random: seededRandom(seed, 'privacy', round),
  });
  const weightsOf = (role: Proposal['role']): FlatWeights | null => {
    const proposal = proposals.find((made) => made.role === role);
    return proposal === undefined ? null : plus(champion, proposal.delta);
  };
  const [steady, responsive] = [weightsOf('steady'), weightsOf('responsive')];
  if (steady === null || responsive === null) {
    const sole = weightsOf(null) ?? champion;
    return {
      steady: sole,
      responsive: sole,
      elected: 'steady',
      hasRoles: false,
      trained: updates.length,
      state,
    };
  }
  const refitOf = (proposal: FlatWeights, samples: Samples, windows: number): FlatWeights | null =>
    refitOutputLayer(shape, proposal, sumPanel(shape, proposal, samples, windows))?.weights ?? null;
  const judge = judgeOf(graphs, champion, panels);
  const steadyRefit = parts.steadyRefit ? refitOf(steady, panels.refitLong, LONG_WINDOWS) : null;
  const responsiveRefit = parts.refit ? refitOf(responsive, panels.refitRecent, RECENT_WINDOWS) : null;
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
    elected: chosen.elected,
    hasRoles: true,
    trained: updates.length,
    state,
  };
}

/** How a proposal does on panels B and C, beside the champion. */
function judgeOf(
  { predictor }: RoundGraphs,
  champion: FlatWeights,
  { b, c }: PanelSamples,
): (proposal: FlatWeights) => Promise<JudgedProposal> {
  const tally = async (proposal: FlatWeights, samples: Samples): Promise<PanelTally> => {
    const [own] = await tallyProposals(predictor, champion, [proposal], samples);
    return own ?? addTallies([]);
  };
  return async (proposal) => ({ b: await tally(proposal, b), c: await tally(proposal, c) });
}

async function trainLocals(
  world: RoundWorld,
  { strategy, strategySettings, parts, boundaryWidth: wanted, seed }: RoundRules,
  graphs: RoundGraphs,
  plan: RoundPlan,
  { round, until, champion, feedback }: RoundSoFar,
): Promise<LocalUpdate[]> {
  const { boundaryWidth } =
    typeof wanted === 'number'
      ? { boundaryWidth: parts.boundaryWeighting ? wanted : null }
      : effectsOfFeedback(feedback, parts);
  const trainer = await graphs.trainer(strategyByName(strategy).proximal(strategySettings));
  const { devices, deltas } = await trainer.train(world.trainingRows(plan.participants, until), {
    base: champion,
    boundaryWidth,
    random: seededRandom(seed, 'local-training', round),
  });
  return devices.map((device, place) => ({
    deviceId: device.device_id,
    delta: deltas.subarray(place * champion.length, (place + 1) * champion.length),
    rows: device.rows,
    selfReportedAccuracy: device.self_reported_accuracy,
    baseLoss: device.base_loss,
  }));
}

interface PanelSamples {
  /** Panel A, a day: local models are scored on it. */
  readonly scoring: Samples;
  /** Devices off panels B and C, over a day and over the freshest windows: output layers are refitted on them. */
  readonly refitLong: Samples;
  readonly refitRecent: Samples;
  /** Panels' freshest windows. */
  readonly b: Samples;
  readonly c: Samples;
}

function panelsOf(
  world: RoundWorld,
  plan: RoundPlan,
  until: number,
  seen: (samples: Samples) => Samples,
): PanelSamples {
  const refitLong = seen(world.samples(until, LONG_WINDOWS, plan.refit));
  return {
    scoring: seen(world.samples(until, LONG_WINDOWS, plan.panels.A)),
    refitLong,
    refitRecent: recentSamples(refitLong, RECENT_WINDOWS),
    b: seen(world.samples(until, RECENT_WINDOWS, plan.panels.B)),
    c: seen(world.samples(until, RECENT_WINDOWS, plan.panels.C)),
  };
}

/** The samples whose target is one of the newest `windows`. */
function recentSamples(samples: Samples, windows: number): Samples {
  const kept: number[] = [];
  samples.age.forEach((age, at) => {
    if (age < windows) kept.push(at);
  });
  const inputs = samples.x.length / Math.max(1, samples.count);
  const x = new Float32Array(kept.length * inputs);
  kept.forEach((from, to) => {
    x.set(samples.x.subarray(from * inputs, (from + 1) * inputs), to * inputs);
  });
  const pick = <Numbers extends Float32Array | Int32Array>(numbers: Numbers, into: Numbers): Numbers => {
    kept.forEach((from, to) => (into[to] = numbers[from] ?? NaN));
    return into;
  };
  return {
    count: kept.length,
    x,
    y: pick(samples.y, new Float32Array(kept.length)),
    device: pick(samples.device, new Int32Array(kept.length)),
    age: pick(samples.age, new Int32Array(kept.length)),
  };
}

async function realAccuracy(
  { predictor }: RoundGraphs,
  base: FlatWeights,
  updates: readonly LocalUpdate[],
  panel: Samples,
): Promise<RealAccuracy[]> {
  const deltas = new Float32Array(updates.length * base.length);
  updates.forEach(({ delta }, at) => {
    deltas.set(delta, at * base.length);
  });
  const scores = await scoreLocalModels(predictor, base, deltas, scoringPanel(panel));
  return updates.map((_, at) => ({
    recent: scores.rows_recent === 0 ? null : (scores.correct_recent[at] ?? 0) / scores.rows_recent,
    long: scores.rows_long === 0 ? null : (scores.correct_long[at] ?? 0) / scores.rows_long,
  }));
}
