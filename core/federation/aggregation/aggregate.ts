import { FedloopError } from '../../contracts/errors';
import { type PrivacySettings } from '../../contracts/rounds';
import { NOISE_REFUSAL } from '../../contracts/strategies';
import { type Random } from '../../platform/random';
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
import { addGaussianNoise, epsilonSpent } from './privacy';

export interface AggregateRequest extends Omit<AggregationContext, 'state' | 'mean'> {
  readonly strategy: Strategy;
  readonly strategySettings: StrategySettings;
  /** Checked updates, at least one. */
  readonly updates: readonly LocalUpdate[];
  readonly state: ServerState | null;
  readonly privacy: PrivacySettings | null;
  /** Source of the noise; only used with `privacy`. */
  readonly random: Random;
}

export interface RoundAggregation extends Aggregation {
  /** Updates that were shortened. */
  readonly clipped: number;
  /** ε spent up to and with this round, for the δ given; null without privacy. */
  readonly epsilon: number | null;
}

/**
 * The server's step: clip, then the strategy's rule. Norm clipping combines with every strategy. With `privacy` the clip is the fixed norm
 * `clipNorm` and not the median, which would give away what others sent; means are taken with equal weights and Gaussian noise.
 * @throws FedloopError `InvalidInput` for unknown settings, or for privacy with a strategy that does not take noise.
 */
export function aggregateRound(request: AggregateRequest): RoundAggregation {
  const { strategy, updates, base, learningRate, realAccuracy, parts, privacy } = request;
  if (privacy !== null && !strategy.takesNoise)
    throw new FedloopError('InvalidInput', `privacy: ${NOISE_REFUSAL}`);
  const { deltas, clipped } = clip(request);
  const before = stateFor(strategy.name, request.state, base.length);
  const mean = privacy === null ? plainMean(base.length) : noisyMean(base.length, privacy, request.random);
  const aggregation = strategy.aggregate(
    updates.map((update, index) => ({ ...update, delta: deltas[index] ?? update.delta })),
    { base, learningRate, state: before, realAccuracy, parts, mean },
    request.strategySettings,
  );
  const privacySpent = before.privacySpent + (privacy === null ? 0 : 1 / privacy.noiseMultiplier ** 2);
  return {
    ...aggregation,
    state: { ...aggregation.state, privacySpent },
    clipped,
    epsilon: privacy === null ? null : epsilonSpent(privacySpent, privacy.delta),
  };
}

function clip({ updates, parts, privacy }: AggregateRequest): Clipped {
  const deltas = updates.map(({ delta }) => delta);
  if (privacy !== null) return clipNorms(deltas, privacy.clipNorm);
  return parts.clipping ? clipToMedianNorm(deltas) : { deltas, clipped: 0 };
}

function plainMean(parameters: number): AggregationContext['mean'] {
  return (updates, given) => {
    const weights = normalised(given);
    return { delta: weightedSum(updates, weights, parameters), weights };
  };
}

function noisyMean(parameters: number, privacy: PrivacySettings, random: Random): AggregationContext['mean'] {
  return (updates) => {
    const equal = updates.map(() => 1);
    const { delta, weights } = plainMean(parameters)(updates, equal);
    const { noiseMultiplier, clipNorm } = privacy;
    return { delta: addGaussianNoise(delta, noiseMultiplier, clipNorm, updates.length, random), weights };
  };
}
