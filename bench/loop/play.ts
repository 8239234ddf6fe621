import { makeCandidates } from '../../core/backtest/candidates';
import { type RoundChanges } from '../../core/backtest/changes';
import { linearModel } from '../../core/backtest/linear-candidate';
import { type LinearModel, networkOfLinear } from '../../core/federation/panels/linear';
import { electLinear } from '../../core/federation/promotion/elect-candidate';
import { panelGate } from '../../core/federation/panels/panel-gate';
import { tallyPanel } from '../../core/federation/panels/panel-tally';
import { ControlVariates } from '../../core/federation/training/control-variates';
import { isCorrect, type Samples } from '../../core/federation/training/samples';
import { type ServerState, withoutMomentum } from '../../core/federation/strategies/server-state';
import { initialWeights } from '../../core/model/network';
import { type FlatWeights } from '../../core/model/types';
import { seededRandom } from '../../core/platform/random';
import { changesBy } from './changes';
import { type Contender } from './contenders';
import { type RoundGraphs } from '../../core/backtest/graphs';
import { SHAPE } from './task';
import { feedbackOf } from './feedback';
import { SHADOW_WINDOWS, WATERMARK_WINDOWS, type PlayOptions } from './play-options';
import { adapted, type Forecasting, successor } from './adapted';
import { emptyScore, serveAdapted, type Played, type Score } from './score';
import { roundWorld } from './round-world';
import { type World } from './world';

/**
 * Play all rounds of a contender in a world: the steps of the product's rounds, one after the other, without servers.
 * @param liesIn what liars change in a round, beside what the scenario does
 */
export async function play(
  world: World,
  contender: Contender,
  graphs: RoundGraphs,
  options: PlayOptions,
  liesIn?: (round: number) => Partial<RoundChanges>,
): Promise<Played> {
  const how = { ...options, participants: contender.participants ?? options.participants };
  const { rounds, windowsPerRound } = options;
  const empty = (): Score => emptyScore(rounds * windowsPerRound, world.devices.length);
  const [score, asServed] = [empty(), contender.adapters ? empty() : undefined];
  const serve = (version: Forecasting, from: number, until: number): Promise<void> =>
    serveAdapted(world, graphs, version, from, until, { own: score, asServed });
  let champion: Forecasting = { weights: initialWeights(SHAPE, options.seed), adapters: null };
  /** What a round trains from: the champion, or the network beside a linear one. */
  let network = champion.weights;
  let linear: LinearModel | null = null;
  let linearEvidence: readonly number[] = [];
  let state: ServerState | null = null;
  let evidence: readonly number[] = [];
  let served = '';
  const controls = new ControlVariates();
  await serve(champion, 0, WATERMARK_WINDOWS);
  for (let round = 1; round <= rounds; round += 1) {
    const closed = (round - 1) * windowsPerRound;
    const changes = {
      ...changesBy(world, contender, seededRandom(options.seed, 'shuffled', round)),
      ...liesIn?.(round),
    };
    const seen = roundWorld(world, closed - 1, contender.delay);
    const made = await makeCandidates(
      seen,
      { ...contender, ...how },
      graphs,
      {
        round,
        until: closed - 1,
        champion: network,
        state,
        controls,
        evidence,
        feedback: feedbackOf(score, closed, windowsPerRound),
      },
      changes,
    );
    const from = closed + WATERMARK_WINDOWS;
    const until = Math.min(closed + windowsPerRound, rounds * windowsPerRound);
    const elected = made[made.elected];
    linear = contender.parts.linear
      ? linearModel(seen, how, graphs, { round, until: closed - 1, before: linear }, changes)
      : null;
    const beside = linear === null ? null : networkOfLinear(SHAPE, linear);
    const isLinear = beside !== null && electLinear(made.elected, linearEvidence).elected === 'linear';
    const candidate = successor(champion, isLinear ? beside : elected, contender.adapters);
    await serve(champion, from, from + SHADOW_WINDOWS);
    const shadows = { candidate, champion: champion.weights };
    const promoted = !contender.liveGate || (await passesShadow(world, graphs, shadows, from));
    const { responsive, steady, hasRoles } = made;
    if (hasRoles)
      evidence = [...evidence, await differenceOf(world, graphs, responsive, steady, from, until)];
    if (beside !== null)
      linearEvidence = [...linearEvidence, await differenceOf(world, graphs, beside, elected, from, until)];
    state = promoted ? made.state : withoutMomentum(made.state);
    champion = promoted ? candidate : champion;
    network = promoted ? elected : network;
    served += !promoted ? 'c' : isLinear ? 'l' : hasRoles ? made.elected.charAt(0) : '·';
    await serve(champion, from + SHADOW_WINDOWS, from + windowsPerRound);
  }
  return { ...(asServed ?? score), served };
}

/**
 * Whether the window in shadow lets a candidate through. One window can only stop what is worse beyond doubt; the product's gate, which asks for evidence,
 * takes six and more (bench:gate). The candidate's adapters learn from it.
 */
async function passesShadow(
  world: World,
  graphs: RoundGraphs,
  { candidate, champion }: { readonly candidate: Forecasting; readonly champion: FlatWeights },
  window: number,
): Promise<boolean> {
  const samples = world.samples(window, SHADOW_WINDOWS);
  const [own, other] = await forecastsOf(graphs, candidate.weights, champion, samples);
  adapted(world, candidate.adapters, samples, own);
  return panelGate(tallyPanel(samples, own, other)).pass;
}

/** Evidence: accuracy of one candidate − another on the live windows `from` to `until`. */
async function differenceOf(
  world: World,
  graphs: RoundGraphs,
  one: FlatWeights,
  than: FlatWeights,
  from: number,
  until: number,
): Promise<number> {
  const samples = world.samples(until - 1, until - from);
  const [own, other] = await forecastsOf(graphs, one, than, samples);
  let difference = 0;
  samples.y.forEach((actual, at) => {
    difference += isCorrect((own[at] ?? NaN) - actual) - isCorrect((other[at] ?? NaN) - actual);
  });
  return difference / samples.count;
}

/** Outputs of two models on the same samples, in one run. */
async function forecastsOf(
  graphs: RoundGraphs,
  first: FlatWeights,
  second: FlatWeights,
  { x, count }: Samples,
): Promise<readonly [Float32Array, Float32Array]> {
  const both = new Float32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  const outputs = await graphs.predictor.predict(both, x);
  return [outputs.subarray(0, count), outputs.subarray(count)];
}
