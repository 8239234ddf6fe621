import { FedloopError } from '../../contracts/errors';
import { NOISE_REFUSAL } from '../../contracts/strategies';
import { type ServerState, stateFor } from '../strategies/server-state';
import {
  type Aggregation,
  type AggregationContext,
  type LocalUpdate,
  type Strategy,
  type StrategySettings,
} from '../strategies/strategy';
import { normalised, weightedSum } from '../vectors';
import { type Clipped, clipNorms, clipToMedianNorm } from './clipping';
import { addGaussianNoise, type RoundNoise } from './privacy';

export interface AggregateRequest extends Omit<AggregationContext, 'state' | 'mean'> {
  readonly strategy: Strategy;
  readonly strategySettings: StrategySettings;
  /** Checked updates, at least one. */
  readonly updates: readonly LocalUpdate[];
  readonly state: ServerState | null;
  /** Of a round under differential privacy; what it costs is booked before. */
  readonly noise: RoundNoise | null;
}

export interface RoundAggregation extends Aggregation {
  /** Updates that were shortened. */
  readonly clipped: number;
}

/**
 * The server's step: clip, then the strategy's rule. Norm clipping combines with every strategy. With `noise` the clip is its norm and not
 * the median, which would give away what others sent; means are taken with equal weights and Gaussian noise.
 * @throws FedloopError `InvalidInput` for unknown settings, or for noise with a strategy that does not take it, or takes it twice.
 */
export function aggregateRound(request: AggregateRequest): RoundAggregation {
  const {
    strategy,
    updates,
    base,
    learningRate,
    localSteps,
    fleetDevices,
    realAccuracy,
    rootUpdate,
    parts,
    noise,
  } = request;
  if (noise !== null && !strategy.takesNoise)
    throw new FedloopError('InvalidInput', `privacy: ${NOISE_REFUSAL}`);
  const { deltas, clipped } =
    noise === null
      ? clipUpdates(request)
      : clipNorms(
          updates.map(({ delta }) => delta),
          noise.clipNorm,
        );
  const before = stateFor(strategy.name, request.state, base.length);
  const mean = noise === null ? plainMean(base.length) : noisyMean(base.length, noise);
  const aggregation = strategy.aggregate(
    updates.map((update, index) => ({ ...update, delta: deltas[index] ?? update.delta })),
    { base, learningRate, localSteps, fleetDevices, state: before, realAccuracy, rootUpdate, parts, mean },
    request.strategySettings,
  );
  return { ...aggregation, clipped };
}

/** Clipped to the median norm, where that part of the loop is on. */
export function clipUpdates({ updates, parts }: Pick<AggregateRequest, 'updates' | 'parts'>): Clipped {
  const deltas = updates.map(({ delta }) => delta);
  return parts.clipping ? clipToMedianNorm(deltas) : { deltas, clipped: 0 };
}

function plainMean(parameters: number): AggregationContext['mean'] {
  return (updates, given) => {
    const weights = normalised(given);
    return { delta: weightedSum(updates, weights, parameters), weights };
  };
}

/** One mean alone: a second one would have noise that nobody has booked. */
function noisyMean(parameters: number, noise: RoundNoise): AggregationContext['mean'] {
  let taken = 0;
  return (updates) => {
    taken += 1;
    if (taken > 1)
      throw new FedloopError('InvalidInput', 'privacy: the strategy takes more than one mean of the updates');
    const equal = updates.map(() => 1);
    const { delta, weights } = plainMean(parameters)(updates, equal);
    return { delta: addGaussianNoise(delta, noise, updates.length), weights };
  };
}
