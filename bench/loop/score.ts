import { isCorrect, type Samples } from '../../core/federation/training/samples';
import { type FlatWeights } from '../../core/model/types';
import { type RoundGraphs } from '../../core/backtest/graphs';
import { adapted, type Forecasting } from './adapted';
import { type World } from './world';

/** Right and counted forecasts of each live window, by the version that served. */
export interface Played {
  readonly correct: Float64Array;
  readonly counted: Float64Array;
  readonly healthyCorrect: Float64Array;
  readonly healthyCounted: Float64Array;
  readonly absoluteError: Float64Array;
  /** Of each device and live window [devices, windows]: 1 right, 0 wrong, −1 nothing to score. */
  readonly outcomes: Int8Array;
  /** Who served, round by round: `s`teady, `r`esponsive, `c`hampion kept, `·` without roles. */
  readonly served: string;
}

export type Score = Omit<Played, 'served'>;

export function emptyScore(windows: number, devices: number): Score {
  const zeros = (): Float64Array => new Float64Array(windows);
  return {
    correct: zeros(),
    counted: zeros(),
    healthyCorrect: zeros(),
    healthyCounted: zeros(),
    absoluteError: zeros(),
    outcomes: new Int8Array(devices * windows).fill(-1),
  };
}

/** Let a version serve the live windows from `from` to before `until`, and count. */
export function serve(
  world: World,
  graphs: RoundGraphs,
  weights: FlatWeights,
  from: number,
  until: number,
  score: Score,
): Promise<void> {
  return serveAdapted(world, graphs, { weights, adapters: null }, from, until, { own: score });
}

/** The same, counting its own forecasts and, where it is asked for, those as served. */
export async function serveAdapted(
  world: World,
  graphs: RoundGraphs,
  { weights, adapters }: Forecasting,
  from: number,
  until: number,
  { own, asServed }: { readonly own: Score; readonly asServed?: Score | undefined },
): Promise<void> {
  const end = Math.min(until, own.correct.length);
  if (end <= from) return;
  const samples = world.samples(end - 1, end - from);
  const outputs = await graphs.predictor.predict(weights, samples.x);
  count(world, samples, outputs, end, own);
  if (asServed !== undefined)
    count(world, samples, adapted(world, adapters, samples, outputs), end, asServed);
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
    score.outcomes[(samples.device[at] ?? -1) * score.correct.length + window] = right;
  }
}

function add(sums: Float64Array, at: number, value: number): void {
  sums[at] = (sums[at] ?? NaN) + value;
}
