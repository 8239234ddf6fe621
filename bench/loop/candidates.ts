import { aggregateRound } from '../../core/federation/aggregation/aggregate';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../../core/federation/constants';
import { effectsOfFeedback } from '../../core/federation/training/feedback-rules';
import { scoreLocalModels, scoringPanel } from '../../core/federation/panels/local-scoring';
import { sumPanel, tallyProposals } from '../../core/federation/panels/panel-scoring';
import { type PanelTally } from '../../core/contracts/site-reports';
import { addTallies } from '../../core/federation/panels/panel-tally';
import { refitOutputLayer } from '../../core/federation/panels/refit';
import { type Samples } from '../../core/federation/training/samples';
import { planRound, type RoundPlan } from '../../core/federation/panels/selection';
import { type ServerState } from '../../core/federation/strategies/server-state';
import { chooseCandidates, type JudgedProposal } from '../../core/federation/panels/choose-candidates';
import { strategyByName } from '../../core/federation/strategies';
import {
  type LocalUpdate,
  type Proposal,
  type RealAccuracy,
} from '../../core/federation/strategies/strategy';
import { plus, times } from '../../core/federation/vectors';
import { type FlatWeights } from '../../core/model/types';
import { seededRandom } from '../../core/platform/random';
import { type Contender } from './contenders';
import { SHAPE, type Engine } from './engine';
import { feedbackOf } from './feedback';
import { type Score } from './score';
import { type PlayOptions } from './play-options';
import { type World } from './world';

/** The accuracy that an attacker claims of its own model. */
const ATTACKERS_CLAIM = 0.99;

export interface Candidates {
  readonly steady: FlatWeights;
  /** The same as `steady` for strategies with one candidate. */
  readonly responsive: FlatWeights;
  readonly elected: 'steady' | 'responsive';
  readonly hasRoles: boolean;
  readonly state: ServerState;
}

export interface RoundSoFar {
  readonly round: number;
  /** Live windows that are closed. */
  readonly closed: number;
  readonly champion: FlatWeights;
  readonly state: ServerState | null;
  readonly evidence: readonly number[];
  readonly score: Score;
}

/** The steps of a round up to the deployment of its candidates, with the product's code. */
export async function makeCandidates(
  world: World,
  contender: Contender,
  engine: Engine,
  { seed, participants, windowsPerRound }: PlayOptions,
  soFar: RoundSoFar,
): Promise<Candidates> {
  const { round, closed, champion } = soFar;
  const { parts } = contender;
  const plan = planRound({ seed, round, devices: world.devices, participants });
  const updates = await trainLocals(world, contender, engine, plan, seed, windowsPerRound, soFar);
  const strategy = strategyByName(contender.strategy);
  const panels = panelsOf(
    world,
    plan,
    closed,
    contender.shuffled ? seededRandom(seed, 'shuffled', round) : null,
  );
  const real = parts.realWeights ? await realAccuracy(engine, champion, updates, panels.scoring) : null;
  const { proposals, state } = aggregateRound({
    strategy,
    strategySettings: contender.strategySettings,
    updates,
    base: champion,
    learningRate: engine.training.learningRate,
    state: soFar.state,
    realAccuracy: real,
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
    return { steady: sole, responsive: sole, elected: 'steady', hasRoles: false, state };
  }
  const refitOf = (proposal: FlatWeights, samples: Samples, windows: number): FlatWeights | null =>
    refitOutputLayer(SHAPE, proposal, sumPanel(SHAPE, proposal, samples, windows))?.weights ?? null;
  const judge = judgeOf(engine, champion, panels);
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
    state,
  };
}

/** How a proposal does on panels B and C, beside the champion. */
function judgeOf(
  engine: Engine,
  champion: FlatWeights,
  { b, c }: PanelSamples,
): (proposal: FlatWeights) => Promise<JudgedProposal> {
  const tally = async (proposal: FlatWeights, samples: Samples): Promise<PanelTally> => {
    const [own] = await tallyProposals(engine.predictor, champion, [proposal], samples);
    return own ?? addTallies([]);
  };
  return async (proposal) => ({ b: await tally(proposal, b), c: await tally(proposal, c) });
}

async function trainLocals(
  world: World,
  contender: Contender,
  engine: Engine,
  plan: RoundPlan,
  seed: number,
  windowsPerRound: number,
  { round, closed, champion, score }: RoundSoFar,
): Promise<LocalUpdate[]> {
  const feedback = feedbackOf(score, closed, windowsPerRound);
  const { boundaryWidth } =
    typeof contender.boundaryWidth === 'number'
      ? { boundaryWidth: contender.parts.boundaryWeighting ? contender.boundaryWidth : null }
      : effectsOfFeedback(feedback, contender.parts);
  const strategy = strategyByName(contender.strategy);
  const trainer = await engine.trainer(strategy.proximal(contender.strategySettings));
  const { devices, deltas } = await trainer.train(world.trainingRows(plan.participants, closed - 1), {
    base: champion,
    boundaryWidth,
    random: seededRandom(seed, 'local-training', round),
  });
  const factors = new Map(world.devices.map(({ deviceId, updateFactor }) => [deviceId, updateFactor]));
  return devices.map((device, place) => {
    const factor = factors.get(device.device_id) ?? 1;
    const delta = deltas.subarray(place * champion.length, (place + 1) * champion.length);
    return {
      deviceId: device.device_id,
      delta: factor === 1 ? delta : times(delta, factor),
      rows: device.rows,
      selfReportedAccuracy: factor === 1 ? device.self_reported_accuracy : ATTACKERS_CLAIM,
      baseLoss: device.base_loss,
    };
  });
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
  world: World,
  plan: RoundPlan,
  closed: number,
  shuffle: ReturnType<typeof seededRandom> | null,
): PanelSamples {
  const deal = (samples: Samples): Samples => {
    if (shuffle === null) return samples;
    const order = Int32Array.from(samples.y, (_, at) => at);
    shuffle.shuffle(order);
    return { ...samples, y: Float32Array.from(order, (at) => samples.y[at] ?? NaN) };
  };
  const refitLong = deal(world.samples(closed - 1, LONG_WINDOWS, plan.refit));
  return {
    scoring: deal(world.samples(closed - 1, LONG_WINDOWS, plan.panels.A)),
    refitLong,
    refitRecent: recentSamples(refitLong, RECENT_WINDOWS),
    b: deal(world.samples(closed - 1, RECENT_WINDOWS, plan.panels.B)),
    c: deal(world.samples(closed - 1, RECENT_WINDOWS, plan.panels.C)),
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
  engine: Engine,
  base: FlatWeights,
  updates: readonly LocalUpdate[],
  panel: Samples,
): Promise<RealAccuracy[]> {
  const deltas = new Float32Array(updates.length * base.length);
  updates.forEach(({ delta }, at) => {
    deltas.set(delta, at * base.length);
  });
  const scores = await scoreLocalModels(engine.predictor, base, deltas, scoringPanel(panel));
  return updates.map((_, at) => ({
    recent: scores.rows_recent === 0 ? null : (scores.correct_recent[at] ?? 0) / scores.rows_recent,
    long: scores.rows_long === 0 ? null : (scores.correct_long[at] ?? 0) / scores.rows_long,
  }));
}
