import { type Feedback } from '../../core/contracts/feedback';
import { FIRST_VERSION } from '../../core/contracts/ids';
import { aggregateRound } from '../../core/federation/aggregate';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../../core/federation/constants';
import { withEvidence } from '../../core/federation/evidence';
import { effectsOfFeedback } from '../../core/federation/feedback-rules';
import { decidePromotion } from '../../core/federation/gate';
import { scoreLocalModels } from '../../core/federation/local-scoring';
import { type PairedCluster } from '../../core/federation/paired';
import { sumPanel, tallyProposals } from '../../core/federation/panel-scoring';
import { isCorrect } from '../../core/federation/panel-tally';
import { refitOutputLayer } from '../../core/federation/refit';
import { recentSamples, type Samples } from '../../core/federation/samples';
import { type RoundPlan } from '../../core/federation/selection';
import { planRound } from '../../core/federation/selection';
import { type ServerState, withoutMomentum } from '../../core/federation/server-state';
import { settleRound } from '../../core/federation/settle';
import { settingsFor, strategyByName } from '../../core/federation/strategies';
import {
  type LocalUpdate,
  type Proposal,
  type RealAccuracy,
} from '../../core/federation/strategies/strategy';
import { plus, times } from '../../core/federation/vectors';
import { initialWeights } from '../../core/model/network';
import { type FlatWeights } from '../../core/model/types';
import { seededRandom } from '../../core/platform/random';
import { type Contender } from './contenders';
import { SHAPE, type Engine } from './engine';
import { type World } from './world';

export interface PlayOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly windowsPerRound: number;
  readonly participants: number | 'all';
}

/**
 * The real latency in windows. When window w is closed, events of the next two have been read (the watermark), so a new version is first
 * scored on w + 3; that one window it spends in shadow, and it serves from w + 4 on.
 */
export const WATERMARK_WINDOWS = 2;
export const SHADOW_WINDOWS = 1;
/** What an attacker says of its own model. */
const ATTACKERS_CLAIM = 0.99;

/** Right and counted forecasts of each live window, by the version that served. */
export interface Played {
  readonly correct: Float64Array;
  readonly counted: Float64Array;
  readonly healthyCorrect: Float64Array;
  readonly healthyCounted: Float64Array;
  readonly absoluteError: Float64Array;
  /** Who served, round by round: `s`teady, `r`esponsive, `c`hampion kept, `·` without roles. */
  readonly served: string;
}

interface Candidates {
  readonly steady: FlatWeights;
  /** The same as `steady` for strategies with one candidate. */
  readonly responsive: FlatWeights;
  readonly elected: 'steady' | 'responsive';
  readonly hasRoles: boolean;
  readonly state: ServerState;
}

/** Play all rounds of a contender in a world: the steps of the product's rounds, one after the other, without servers. */
export async function play(
  world: World,
  contender: Contender,
  engine: Engine,
  options: PlayOptions,
): Promise<Played> {
  const { rounds, windowsPerRound } = options;
  const score = emptyScore(rounds * windowsPerRound);
  let champion = initialWeights(SHAPE, options.seed);
  let state: ServerState | null = null;
  let evidence: readonly number[] = [];
  let served = '';
  await serve(world, engine, champion, 0, WATERMARK_WINDOWS + SHADOW_WINDOWS, score);
  for (let round = 1; round <= rounds; round += 1) {
    const closed = (round - 1) * windowsPerRound;
    const made = await makeCandidates(world, contender, engine, options, {
      round,
      closed,
      champion,
      state,
      evidence,
      score,
    });
    const from = closed + WATERMARK_WINDOWS;
    const until = Math.min(closed + windowsPerRound, rounds * windowsPerRound);
    const elected = made[made.elected];
    const shadow = await clustersOf(world, engine, elected, champion, from);
    const gate = { margin: 0.002, minWindows: SHADOW_WINDOWS, confidence: 0.95 };
    const promoted = !contender.liveGate || decidePromotion(shadow, gate).decision === 'promoted';
    if (made.hasRoles)
      evidence = withEvidence(evidence, await differenceOf(world, engine, made, from, until));
    state = promoted ? made.state : withoutMomentum(made.state);
    champion = promoted ? elected : champion;
    served += !promoted ? 'c' : made.hasRoles ? made.elected.charAt(0) : '·';
    await serve(
      world,
      engine,
      champion,
      from + SHADOW_WINDOWS,
      from + SHADOW_WINDOWS + windowsPerRound,
      score,
    );
  }
  return { ...score, served };
}

interface RoundSoFar {
  readonly round: number;
  /** Live windows that are closed. */
  readonly closed: number;
  readonly champion: FlatWeights;
  readonly state: ServerState | null;
  readonly evidence: readonly number[];
  readonly score: Score;
}

async function makeCandidates(
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
  const real = strategy.needsRealAccuracy ? await realAccuracy(engine, champion, updates, panels.long) : null;
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
  const refitted = parts.refit
    ? refitOutputLayer(SHAPE, responsive, sumPanel(SHAPE, responsive, panels.a))
    : null;
  const judged = [responsive, ...(refitted === null ? [] : [refitted])];
  const [b, c] = [
    await tallyProposals(engine.predictor, champion, judged, panels.b),
    await tallyProposals(engine.predictor, champion, judged, panels.c),
  ];
  const judge = (at: number): { b: (typeof b)[number]; c: (typeof c)[number] } | null => {
    const [onB, onC] = [b[at], c[at]];
    return onB === undefined || onC === undefined ? null : { b: onB, c: onC };
  };
  const judgedResponsive = judge(0);
  if (judgedResponsive === null) throw new RangeError('the responsive proposal was not judged');
  const settled = settleRound({
    parts,
    responsive: judgedResponsive,
    refitted: judge(1),
    evidence: soFar.evidence,
  });
  const final = { proposal: responsive, refitted: refitted ?? responsive, champion }[settled.responsive];
  return { steady, responsive: final, elected: settled.elected, hasRoles: true, state };
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
  const { edgeWidth } =
    typeof contender.edgeWidth === 'number'
      ? { edgeWidth: contender.parts.edgeWeights ? contender.edgeWidth : null }
      : effectsOfFeedback(feedback, contender.parts);
  const strategy = strategyByName(contender.strategy);
  const trainer = await engine.trainer(strategy.proximal(settingsFor(strategy, contender.strategySettings)));
  const { devices, deltas } = await trainer.trainRows(world.trainingRows(plan.participants, closed - 1), {
    base: champion,
    edgeWidth,
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
      selfReportedLoss: device.self_reported_loss,
      baseLoss: device.base_loss,
    };
  });
}

interface PanelSamples {
  /** Panel A, a day. */
  readonly long: Samples;
  /** Panels' freshest windows. */
  readonly a: Samples;
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
  const long = deal(world.samples(closed - 1, LONG_WINDOWS, plan.panels.A));
  return {
    long,
    a: recentSamples(long, RECENT_WINDOWS),
    b: deal(world.samples(closed - 1, RECENT_WINDOWS, plan.panels.B)),
    c: deal(world.samples(closed - 1, RECENT_WINDOWS, plan.panels.C)),
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
  const scores = await scoreLocalModels(engine.predictor, base, deltas, panel);
  return updates.map((_, at) => ({
    recent: scores.rows_recent === 0 ? null : (scores.correct_recent[at] ?? 0) / scores.rows_recent,
    long: scores.rows_long === 0 ? null : (scores.correct_long[at] ?? 0) / scores.rows_long,
  }));
}

export type Score = Omit<Played, 'served'>;

export function emptyScore(windows: number): Score {
  const zeros = (): Float64Array => new Float64Array(windows);
  return {
    correct: zeros(),
    counted: zeros(),
    healthyCorrect: zeros(),
    healthyCounted: zeros(),
    absoluteError: zeros(),
  };
}

/** Let a version serve the live windows from `from` to before `until`, and count. */
export async function serve(
  world: World,
  engine: Engine,
  weights: FlatWeights,
  from: number,
  until: number,
  score: Score,
): Promise<void> {
  const end = Math.min(until, score.correct.length);
  if (end <= from) return;
  const samples = world.samples(end - 1, end - from);
  count(world, samples, await engine.predictor.predict(weights, samples.x), end, score);
}

/** Count outputs on samples whose newest window is the one before `end`. */
export function count(
  world: World,
  samples: Samples,
  outputs: Float32Array,
  end: number,
  score: Score,
): void {
  for (let at = 0; at < samples.count; at += 1) {
    const window = end - 1 - (samples.age[at] ?? 0);
    const error = (outputs[at] ?? NaN) - (samples.y[at] ?? NaN);
    const healthy = world.devices[samples.device[at] ?? -1]?.healthy === true ? 1 : 0;
    const right = isCorrect(error);
    add(score.correct, window, right);
    add(score.counted, window, 1);
    add(score.healthyCorrect, window, right * healthy);
    add(score.healthyCounted, window, healthy);
    add(score.absoluteError, window, Math.abs(error));
  }
}

function add(sums: Float64Array, at: number, value: number): void {
  sums[at] = (sums[at] ?? NaN) + value;
}

/** Candidate and champion on the window in shadow, summed by stretch. */
async function clustersOf(
  world: World,
  engine: Engine,
  candidate: FlatWeights,
  champion: FlatWeights,
  window: number,
): Promise<PairedCluster[]> {
  const samples = world.samples(window, 1);
  const both = new Float32Array(2 * champion.length);
  both.set(candidate);
  both.set(champion, champion.length);
  const outputs = await engine.predictor.predict(both, samples.x);
  const clusters = new Map<
    string,
    { slot: string; windowStart: number; n: number; candidateCorrect: number; championCorrect: number }
  >();
  samples.y.forEach((actual, at) => {
    const slot = world.devices[samples.device[at] ?? -1]?.group ?? '';
    const cluster = clusters.get(slot) ?? {
      slot,
      windowStart: window,
      n: 0,
      candidateCorrect: 0,
      championCorrect: 0,
    };
    cluster.n += 1;
    cluster.candidateCorrect += isCorrect((outputs[at] ?? NaN) - actual);
    cluster.championCorrect += isCorrect((outputs[samples.count + at] ?? NaN) - actual);
    clusters.set(slot, cluster);
  });
  return [...clusters.values()];
}

/** Evidence: accuracy of the responsive − the steady candidate on the live windows `from` to `until`. */
async function differenceOf(
  world: World,
  engine: Engine,
  { responsive, steady }: Candidates,
  from: number,
  until: number,
): Promise<number> {
  const samples = world.samples(until - 1, until - from);
  const both = new Float32Array(2 * steady.length);
  both.set(responsive);
  both.set(steady, steady.length);
  const outputs = await engine.predictor.predict(both, samples.x);
  let difference = 0;
  samples.y.forEach((actual, at) => {
    difference +=
      isCorrect((outputs[at] ?? NaN) - actual) - isCorrect((outputs[samples.count + at] ?? NaN) - actual);
  });
  return difference / samples.count;
}

/** What feedback says of the windows that are closed: of the last round's, by whoever served them; null before the first. */
function feedbackOf(score: Score, closed: number, windows: number): Feedback | null {
  const from = Math.max(0, closed - windows);
  const sum = (of: Float64Array): number =>
    of.subarray(from, closed).reduce((total, value) => total + value, 0);
  const n = sum(score.counted);
  if (n === 0) return null;
  const unknown = { n: 0, n_correct: 0, accuracy: null };
  return {
    type: 'feedback',
    scope: 'round',
    round: null,
    model_version: FIRST_VERSION,
    window_start: from,
    window_end: closed,
    n,
    n_correct: sum(score.correct),
    accuracy: sum(score.correct) / n,
    skill: null,
    mae: sum(score.absoluteError) / n,
    rmse: 0,
    bias: 0,
    calibration: 0,
    persistence_accuracy: 0,
    tolerance: 1,
    by_regime: { normal: unknown, anomalous: unknown, rising: unknown, falling: unknown, steady: unknown },
    anomalies: {
      true_positive: 0,
      false_positive: 0,
      false_negative: 0,
      true_negative: 0,
      tendency: 'unknown',
    },
    worst_devices: [],
  };
}
