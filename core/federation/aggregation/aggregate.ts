import { FedloopError } from '../../contracts/errors';
import { type LoopParts, type PrivacySettings } from '../../contracts/rounds';
import { type FlatWeights } from '../../model/types';
import { type Random } from '../../platform/random';
import { clipNorms, clipToMedianNorm } from './clipping';
import { addGaussianNoise, epsilonSpent } from './privacy';
import { type ServerState, stateFor } from '../strategies/server-state';
import { settingsFor } from '../strategies';
import {
  type Aggregation,
  type AggregationContext,
  type LocalUpdate,
  type RealAccuracy,
  type Strategy,
} from '../strategies/strategy';
import { norm, normalised, weightedSum } from '../vectors';

export interface AggregateRequest {
  readonly strategy: Strategy;
  readonly strategySettings: Readonly<Record<string, number>>;
  /** Checked updates, at least one. */
  readonly updates: readonly LocalUpdate[];
  /** Incoming global weights [P]. */
  readonly base: FlatWeights;
  readonly learningRate: number;
  readonly state: ServerState | null;
  readonly realAccuracy: readonly RealAccuracy[] | null;
  readonly parts: LoopParts;
  readonly privacy: PrivacySettings | null;
  /** Source of the noise; only used with `privacy`. */
  readonly random: Random;
}

export interface RoundAggregation extends Aggregation {
  readonly clipping: {
    /** No update is longer than this; null = clipping is off. */
    readonly bound: number | null;
    readonly clipped: number;
    readonly largestNorm: number;
  };
  /** ε spent up to and with this round, for the δ asked for; null without privacy. */
  readonly epsilon: number | null;
}

/**
 * The server's step: clip, then the strategy's rule. Norm clipping combines with every strategy. With `privacy` the clip is the fixed norm asked
 * for and not the median, which would give away what others sent; means are taken with equal weights and Gaussian noise.
 * @throws FedloopError `InvalidInput` for unknown settings, or for privacy with a strategy that is not a mean.
 */
export function aggregateRound(request: AggregateRequest): RoundAggregation {
  const { strategy, updates, base, privacy } = request;
  const settings = settingsFor(strategy, request.strategySettings);
  refuseNoise(strategy, privacy);
  const { deltas, bound, clipped } = clip(request);
  const clippedUpdates = updates.map((update, index) => ({
    ...update,
    delta: deltas[index] ?? update.delta,
  }));
  const before = stateFor(strategy.name, request.state);
  const aggregation = strategy.aggregate(clippedUpdates, {
    base,
    settings,
    learningRate: request.learningRate,
    state: before,
    realAccuracy: request.realAccuracy,
    parts: request.parts,
    mean: privacy === null ? plainMean(base.length) : noisyMean(base.length, privacy, request.random),
  });
  const privacySpent = before.privacySpent + (privacy === null ? 0 : 1 / privacy.noiseMultiplier ** 2);
  return {
    ...aggregation,
    state: { ...aggregation.state, privacySpent },
    clipping: {
      bound,
      clipped,
      largestNorm: updates.reduce((largest, { delta }) => Math.max(largest, norm(delta)), 0),
    },
    epsilon: privacy === null ? null : epsilonSpent(privacySpent, privacy.delta),
  };
}

/** @throws FedloopError `InvalidInput` when noise is asked for where it would protect nothing. */
export function refuseNoise(strategy: Strategy, privacy: PrivacySettings | null): void {
  if (privacy === null || strategy.allowsNoise) return;
  throw new FedloopError(
    'InvalidInput',
    `privacy: ${strategy.name} is not a mean with bounded weights, so Gaussian noise would protect nobody`,
    { hint: 'Use fedavg, fedprox, fedadam, fedyogi or fedadagrad with privacy.' },
  );
}

function clip({ updates, parts, privacy }: AggregateRequest): {
  deltas: readonly FlatWeights[];
  bound: number | null;
  clipped: number;
} {
  const deltas = updates.map(({ delta }) => delta);
  if (privacy !== null) return clipNorms(deltas, privacy.clipNorm);
  return parts.clipping ? clipToMedianNorm(deltas) : { deltas, bound: null, clipped: 0 };
}

function plainMean(parameters: number): AggregationContext['mean'] {
  return (updates, given) => {
    const weights = normalised(given);
    return {
      delta: weightedSum(
        updates.map(({ delta }) => delta),
        weights,
        parameters,
      ),
      weights,
    };
  };
}

function noisyMean(parameters: number, privacy: PrivacySettings, random: Random): AggregationContext['mean'] {
  return (updates) => {
    const { delta, weights } = plainMean(parameters)(
      updates,
      updates.map(() => 1),
    );
    return {
      delta: addGaussianNoise(delta, privacy.noiseMultiplier, privacy.clipNorm, updates.length, random),
      weights,
    };
  };
}
