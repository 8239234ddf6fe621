import { type z } from 'zod';
import { type CandidateRole } from '../../contracts/deployments';
import { type LoopParts, type StrategyName } from '../../contracts/rounds';
import { type LeftOutReason } from '../../contracts/updates';
import { type FlatWeights } from '../../model/types';
import { type ServerState } from './server-state';

/** One device's update that passed the checks. P = parameters of the network. */
export interface LocalUpdate {
  readonly deviceId: string;
  /** Local weights − incoming global weights [P]. */
  readonly delta: FlatWeights;
  /** Training rows. */
  readonly rows: number;
  /** What the local model says of itself on its own rows: share within the tolerance, mean loss. */
  readonly selfReportedAccuracy: number;
  readonly selfReportedLoss: number;
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
  /** Settings by name, defaults filled in. */
  readonly settings: Readonly<Record<string, number>>;
  readonly state: ServerState;
  /** One entry an update; null when local models were not scored. */
  readonly realAccuracy: readonly RealAccuracy[] | null;
  readonly parts: LoopParts;
  /**
   * Σ weight · delta with weights normalised to 1. Under differential privacy the weights are equal and noise is added, which is why
   * mean-based strategies take their means here and not on their own.
   */
  readonly mean: (updates: readonly LocalUpdate[], weights: ArrayLike<number>) => WeightedMean;
}

export interface WeightedMean {
  /** [P] */
  readonly delta: FlatWeights;
  /** The weights that were used, one an update, adding up to 1. */
  readonly weights: Float64Array;
}

/** A step away from the incoming weights, and whose updates made it. */
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
  readonly feedbackUsed: Readonly<Record<string, string | number | boolean | null>>;
}

export interface Strategy {
  readonly name: StrategyName;
  /** One line for `fedloop strategies`. */
  readonly summary: string;
  readonly formula: string;
  /** Where it was published; null for the platform's own. */
  readonly paper: string | null;
  /** Settings with defaults; unknown names are refused. */
  readonly settings: z.ZodType<Readonly<Record<string, number>>>;
  /** Whether local models must be scored on panels first. */
  readonly needsRealAccuracy: boolean;
  /** Whether it remembers something from round to round. */
  readonly keepsState: boolean;
  /** Whether Gaussian noise may be added: true where the step is a function of one mean with bounded weights. */
  readonly allowsNoise: boolean;
  /** What it changes in local training: the pull μ towards the incoming weights. */
  readonly proximal: (settings: Readonly<Record<string, number>>) => number;
  /**
   * @param updates at least one
   * @throws FedloopError `InvalidInput` or `TooFewUpdates` where the strategy cannot work with so many
   */
  readonly aggregate: (updates: readonly LocalUpdate[], context: AggregationContext) => Aggregation;
}
