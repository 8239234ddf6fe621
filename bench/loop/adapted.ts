import { type Samples } from '../../core/federation/training/samples';
import { type FlatWeights } from '../../core/model/types';
import { VersionAdapters } from '../../core/stream/adapters/version-adapters';
import { type World } from './world';

/** A version that forecasts; without adapters where nobody has trained it, or nobody asks for forecasts as served. */
export interface Forecasting {
  readonly weights: FlatWeights;
  readonly adapters: VersionAdapters | null;
}

/** The version that comes after: its adapters begin as those before it are. */
export function successor(
  { adapters }: Forecasting,
  weights: FlatWeights,
  withAdapters: boolean,
): Forecasting {
  if (!withAdapters) return { weights, adapters: null };
  const own = new VersionAdapters();
  if (adapters !== null) own.inherit(adapters);
  return { weights, adapters: own };
}

/**
 * Outputs as they are served: window by window, oldest first, each device's output corrected by its past errors, from which the adapters go on
 * learning.
 * @param outputs of one version on the samples.
 */
export function adapted(
  world: World,
  adapters: VersionAdapters | null,
  samples: Samples,
  outputs: Float32Array,
): Float32Array {
  if (adapters === null) return outputs;
  const served = outputs.slice(0, samples.count);
  for (const places of placesByWindow(samples)) {
    const rows = {
      devices: places.map((at) => samples.device[at] ?? 0),
      forecast: Float64Array.from(places, (at) => outputs[at] ?? NaN),
      last: Float64Array.from(places, (at) => world.changeOf(samples, at, 0)),
      before: Float64Array.from(places, (at) => world.changeOf(samples, at, 1)),
    };
    const corrections = adapters.corrections(rows);
    const { share } = adapters;
    if (share > 0) {
      places.forEach((at, i) => {
        served[at] = (outputs[at] ?? NaN) + share * (corrections[i] ?? 0);
      });
    }
    const actual = Float64Array.from(places, (at) => samples.y[at] ?? NaN);
    adapters.learn(rows, actual, corrections);
  }
  return served;
}

/** Places of the samples of each window, oldest first. */
function placesByWindow({ count, age }: Samples): readonly number[][] {
  const byAge: number[][] = [];
  for (let at = 0; at < count; at += 1) (byAge[age[at] ?? 0] ??= []).push(at);
  return byAge.reverse();
}
