import { type z } from 'zod';
import { type CandidateRole, type Lineage } from '../../contracts/deployments';
import { type LoopParts } from '../../contracts/rounds';
import { STRATEGIES, type StrategyFacts, type StrategyName } from '../../contracts/strategies';
import { type LeftOutReason } from '../../contracts/updates';
import { parseOrThrow } from '../../contracts/validation';
import { type FlatWeights } from '../../model/types';
import { normalised } from '../vectors';
import { type ServerState } from './server-state';

/** One device's update that passed the checks. P = parameters of the network. */
export interface LocalUpdate {
  readonly deviceId: string;
  /** Local weights − incoming global weights [P]. */
  readonly delta: FlatWeights;
  /** Training rows. */
  readonly rows: number;
  /** The device's claim about its model: share of its own training rows within the tolerance. */
  readonly selfReportedAccuracy: number;
  /** Mean loss of the incoming global model on the same rows. */
  readonly baseLoss: number;
}

/** Real accuracy of a local model on panel A, 0 to 1; null where nothing could be scored. */
export interface RealAccuracy {
  /** Over the last 6 closed windows. */
  readonly recent: number | null;
  /** Over the last 24. */
  readonly long: number | null;
}

export interface AggregationContext {
  /** Incoming global weights [P]. */
  readonly base: FlatWeights;
  /** Local learning rate, of which q-FFL makes its Lipschitz estimate. */
  readonly learningRate: number;
  /** Steps that local training takes over so many rows, in all its epochs. */
  readonly localSteps: (rows: number) => number;
  /** Devices of the fleet that could train. */
  readonly fleetDevices: number;
  readonly state: ServerState;
  /** One entry an update; null when local models were not scored. */
  readonly realAccuracy: readonly RealAccuracy[] | null;
  /** What devices on panel A come to by local training [P]; null where the strategy needs it not, or none of them could train. */
  readonly rootUpdate: FlatWeights | null;
  readonly parts: LoopParts;
  /**
   * Σ weight · delta with weights normalised to 1. Under differential privacy the weights are equal and noise is added.
   * A strategy that takes noise must take its mean here.
   */
  readonly mean: (updates: readonly LocalUpdate[], weights: ArrayLike<number>) => WeightedMean;
}

export interface WeightedMean {
  /** [P] */
  readonly delta: FlatWeights;
  /** The weights that were used, one an update, adding up to 1. */
  readonly weights: Float64Array;
}

/** A step away from the incoming weights, and the share of each update in it. */
export interface Proposal {
  /** `closed-loop` makes a steady and a responsive one, others one without a role. */
  readonly role: CandidateRole | null;
  /** New global weights − incoming ones [P]. */
  readonly delta: FlatWeights;
  /** Share of each update in the step, adding up to 1. */
  readonly weights: Float64Array;
  /** Why an update has no share, one entry an update; null where it has. */
  readonly leftOut: readonly (LeftOutReason | null)[];
}

export interface Aggregation {
  readonly proposals: readonly Proposal[];
  readonly state: ServerState;
  /** What was done because of feedback, for the round's lineage. */
  readonly feedbackUsed: Lineage['feedback_used'];
}

/** Numbers by name, as `strategySettings` of a round's input gives them. */
export type StrategySettings = Readonly<Record<string, number>>;

/** A strategy as its own file defines it. */
export interface StrategyDefinition<Settings extends StrategySettings> {
  readonly formula: string;
  /** Where it was published; null for the platform's own. */
  readonly paper: string | null;
  /** Settings, each with a range, a default and a description; unknown names are refused. */
  readonly settings: z.ZodType<Settings>;
  /** What it changes in local training: the pull μ towards the incoming weights; left out: none. */
  readonly proximal?: (settings: Settings) => number;
  /**
   * @param updates at least one
   * @throws FedloopError `InvalidInput` or `TooFewUpdates` where the strategy cannot work with so many
   */
  readonly aggregate: (
    updates: readonly LocalUpdate[],
    context: AggregationContext,
    settings: Settings,
  ) => Aggregation;
}

/** A strategy with its facts. It checks the settings that it is given and fills in defaults. */
export interface Strategy<Name extends StrategyName = StrategyName>
  extends StrategyFacts, StrategyDefinition<StrategySettings> {
  readonly name: Name;
  readonly proximal: (settings: StrategySettings) => number;
}

export function defineStrategy<Name extends StrategyName, Settings extends StrategySettings>(
  name: Name,
  definition: StrategyDefinition<Settings>,
): Strategy<Name> {
  const read = (given: StrategySettings): Settings =>
    parseOrThrow(definition.settings, given, `strategySettings of ${name}`);
  const { proximal = (): number => 0, aggregate } = definition;
  return {
    name,
    ...STRATEGIES[name],
    ...definition,
    proximal: (given) => proximal(read(given)),
    aggregate: (updates, context, given) => aggregate(updates, context, read(given)),
  };
}

/** Mean of the deltas weighted by training rows: Σ nᵢ δᵢ / Σ nᵢ. */
export function meanByRows(updates: readonly LocalUpdate[], context: AggregationContext): WeightedMean {
  return context.mean(
    updates,
    updates.map(({ rows }) => rows),
  );
}

/** Self-reported accuracies as weights that add up to 1. */
export function weightsByReport(updates: readonly LocalUpdate[]): Float64Array {
  return normalised(updates.map(({ selfReportedAccuracy }) => Math.max(selfReportedAccuracy, 0)));
}

/** An aggregation of one proposal that used no feedback; all updates have a share unless `leftOut` says otherwise. */
export function soleProposal(
  { delta, weights }: WeightedMean,
  state: ServerState,
  leftOut: Proposal['leftOut'] = [...weights].map(() => null),
): Aggregation {
  return { proposals: [{ role: null, delta, weights, leftOut }], state, feedbackUsed: {} };
}
