import { z } from 'zod';
import { type StrategyName } from '../../contracts/rounds';
import { type FlatWeights } from '../../model/types';
import { type ServerState } from './server-state';
import {
  type Aggregation,
  type AggregationContext,
  type LocalUpdate,
  type Proposal,
  type Strategy,
  type WeightedMean,
} from './strategy';

/** What most strategies have in common, so that each file holds but its own formula. */
export abstract class BaseStrategy implements Strategy {
  abstract readonly name: StrategyName;
  abstract readonly summary: string;
  abstract readonly formula: string;
  abstract readonly paper: string | null;
  readonly settings: z.ZodType<Readonly<Record<string, number>>> = z.strictObject({});
  readonly needsRealAccuracy: boolean = false;
  readonly keepsState: boolean = false;
  readonly allowsNoise: boolean = false;
  readonly proximal: Strategy['proximal'] = () => 0;

  abstract aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation;
}

/** Mean of the deltas weighted by training rows: Σ nᵢ δᵢ / Σ nᵢ. */
export function meanByRows(updates: readonly LocalUpdate[], context: AggregationContext): WeightedMean {
  return context.mean(
    updates,
    updates.map(({ rows }) => rows),
  );
}

/** One proposal in which all updates have a share. */
export function soleProposal(delta: FlatWeights, weights: Float64Array): readonly Proposal[] {
  return [{ role: null, delta, weights, leftOut: [...weights].map(() => null) }];
}

/** An aggregation of one proposal that learned nothing from feedback. */
export function withoutFeedback(proposals: readonly Proposal[], state: ServerState): Aggregation {
  return { proposals, state, feedbackUsed: {} };
}

/** A setting by name: the schema has filled it in, so a missing one is a mistake in the strategy itself. */
export function settingOf(context: AggregationContext, name: string): number {
  const value = context.settings[name];
  if (value === undefined) throw new RangeError(`the strategy has no setting ${name}`);
  return value;
}
