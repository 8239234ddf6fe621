import { makeCandidates } from '../../core/backtest/candidates';
import { type RoundChanges } from '../../core/backtest/changes';
import { refitBetween } from '../../core/backtest/refit-candidate';
import { linearModel } from '../../core/backtest/linear-candidate';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../../core/federation/constants';
import { type LinearModel, networkOfLinear } from '../../core/federation/panels/linear';
import { electLinear } from '../../core/federation/promotion/elect-candidate';
import { panelGate } from '../../core/federation/panels/panel-gate';
import { outputsOf } from '../../core/federation/panels/panel-scoring';
import { tallyPanel } from '../../core/federation/panels/panel-tally';
import { ControlVariates } from '../../core/federation/training/control-variates';
import { isCorrect } from '../../core/federation/training/samples';
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
export function play(
  world: World,
  contender: Contender,
  graphs: RoundGraphs,
  options: PlayOptions,
  liesIn?: (round: number) => Partial<RoundChanges>,
): Promise<Played> {
  return new Loop(world, contender, graphs, options, liesIn).play();
}

/** What a contender's loop knows from round to round. */
class Loop {
  private readonly how: PlayOptions;
  private readonly score: Score;
  private readonly asServed: Score | undefined;
  private champion: Forecasting;
  private servesLinear = false;
  /** Of a steady champion, or a responsive one. */
  private refitWindows = LONG_WINDOWS;
  /** What a round trains from: the champion, or the network beside a linear one. */
  private network: FlatWeights;
  private linear: LinearModel | null = null;
  private linearEvidence: readonly number[] = [];
  private state: ServerState | null = null;
  private evidence: readonly number[] = [];
  private served = '';
  private readonly controls = new ControlVariates();

  constructor(
    private readonly world: World,
    private readonly contender: Contender,
    private readonly graphs: RoundGraphs,
    options: PlayOptions,
    private readonly liesIn?: (round: number) => Partial<RoundChanges>,
  ) {
    this.how = { ...options, participants: contender.participants ?? options.participants };
    const empty = (): Score => emptyScore(options.rounds * options.windowsPerRound, world.devices.length);
    this.score = empty();
    this.asServed = contender.adapters ? empty() : undefined;
    this.network = initialWeights(SHAPE, options.seed);
    this.champion = { weights: this.network, adapters: null };
  }

  async play(): Promise<Played> {
    await this.serve(0, WATERMARK_WINDOWS);
    for (let round = 1; round <= this.how.rounds; round += 1) await this.round(round);
    return { ...(this.asServed ?? this.score), served: this.served };
  }

  /** The champion serves the live windows from `from` to before `until`. */
  private serve(from: number, until: number): Promise<void> {
    const { world, graphs, champion, score: own, asServed } = this;
    return serveAdapted(world, graphs, champion, from, until, { own, asServed });
  }

  private async round(round: number): Promise<void> {
    const { world, contender, graphs, how } = this;
    const { rounds, windowsPerRound } = how;
    const closed = (round - 1) * windowsPerRound;
    const changes = this.changesIn(round);
    const seen = roundWorld(world, closed - 1, contender.delay);
    const { state, controls, evidence } = this;
    const feedback = feedbackOf(this.score, closed, windowsPerRound);
    const soFar = { round, until: closed - 1, champion: this.network, state, controls, evidence, feedback };
    const made = await makeCandidates(seen, { ...contender, ...how }, graphs, soFar, changes);
    const from = closed + WATERMARK_WINDOWS;
    const until = Math.min(closed + windowsPerRound, rounds * windowsPerRound);
    const elected = made[made.elected];
    this.linear = contender.parts.linear
      ? linearModel(seen, how, graphs, { round, until: closed - 1, before: this.linear }, changes)
      : null;
    const beside = this.linear === null ? null : networkOfLinear(SHAPE, this.linear);
    const isLinear = beside !== null && electLinear(made.elected, this.linearEvidence).elected === 'linear';
    const promoted = await this.judge(isLinear ? beside : elected, from, contender.liveGate);
    const { responsive, steady, hasRoles } = made;
    if (hasRoles)
      this.evidence = [...this.evidence, await differenceOf(world, graphs, responsive, steady, from, until)];
    if (beside !== null)
      this.linearEvidence = [
        ...this.linearEvidence,
        await differenceOf(world, graphs, beside, elected, from, until),
      ];
    this.state = promoted ? made.state : withoutMomentum(made.state);
    if (promoted) {
      [this.network, this.servesLinear] = [elected, isLinear];
      this.refitWindows = made.elected === 'steady' ? LONG_WINDOWS : RECENT_WINDOWS;
    }
    this.served += !promoted ? 'c' : isLinear ? 'l' : hasRoles ? made.elected.charAt(0) : '·';
    if (contender.refitsBetween === true) await this.between(round, closed, changes);
    else await this.serve(from + SHADOW_WINDOWS, from + windowsPerRound);
  }

  /** The rest of a round's windows, with a refit of what serves half-way. */
  private async between(round: number, closed: number, changes: RoundChanges): Promise<void> {
    const { world, contender, graphs, how } = this;
    const half = closed + Math.floor(how.windowsPerRound / 2);
    const from = half + WATERMARK_WINDOWS;
    await this.serve(closed + WATERMARK_WINDOWS + SHADOW_WINDOWS, from);
    const until = half - 1;
    const seen = roundWorld(world, until, contender.delay);
    // Panels and devices of refits are drawn anew, as by a round of its own.
    const number = how.rounds + round;
    const linear = this.servesLinear
      ? linearModel(seen, how, graphs, { round: number, until, before: this.linear }, changes)
      : null;
    const refit = await refitBetween(
      seen,
      how,
      graphs,
      { round: number, until, champion: this.champion.weights },
      changes,
      linear === null ? this.refitWindows : networkOfLinear(SHAPE, linear),
    );
    if (refit === null) await this.serve(from, from + SHADOW_WINDOWS);
    else {
      this.linear = linear ?? this.linear;
      const promoted = await this.judge(refit, from, true);
      if (promoted && !this.servesLinear) this.network = refit;
    }
    await this.serve(from + SHADOW_WINDOWS, closed + WATERMARK_WINDOWS + how.windowsPerRound);
  }

  /** A candidate's window in shadow, while the champion serves it. @returns whether it is the champion from now on */
  private async judge(weights: FlatWeights, from: number, liveGate: boolean): Promise<boolean> {
    const { world, graphs, champion } = this;
    const candidate = successor(champion, weights, this.contender.adapters);
    await this.serve(from, from + SHADOW_WINDOWS);
    const shadows = { candidate, champion: champion.weights };
    const promoted = !liveGate || (await passesShadow(world, graphs, shadows, from));
    if (promoted) this.champion = candidate;
    return promoted;
  }

  private changesIn(round: number): RoundChanges {
    const random = seededRandom(this.how.seed, 'shuffled', round);
    return { ...changesBy(this.world, this.contender, random), ...this.liesIn?.(round) };
  }
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
  const [own = new Float32Array(), other = new Float32Array()] = await outputsOf(
    graphs.predictor,
    [candidate.weights, champion],
    samples,
  );
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
  const [own = new Float32Array(), other = new Float32Array()] = await outputsOf(
    graphs.predictor,
    [one, than],
    samples,
  );
  let difference = 0;
  samples.y.forEach((actual, at) => {
    difference += isCorrect((own[at] ?? NaN) - actual) - isCorrect((other[at] ?? NaN) - actual);
  });
  return difference / samples.count;
}
