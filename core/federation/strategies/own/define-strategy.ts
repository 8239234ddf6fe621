/**
 * What a strategy of one's own is: the whole surface between Fedloop and a module that it loads. It imports nothing, so that a module in any
 * place can be checked against it; a plain JavaScript module needs none of it.
 */

/** One device's update. P = parameters of the network. */
export interface Update {
  readonly deviceId: string;
  /** Local weights − incoming global weights [P]; finite. */
  readonly delta: Float32Array;
  /** Training rows. */
  readonly rows: number;
  /** Steps that local training took over them. */
  readonly localSteps: number;
  /** The device's claim about its model, 0 to 1: nobody has checked it. */
  readonly selfReportedAccuracy: number;
  /** Mean loss of the incoming global model on the same rows. */
  readonly baseLoss: number;
  /** Real accuracy on devices that did not train, 0 to 1, over the last 6 and 24 windows; null where nothing could be scored. */
  readonly realAccuracy: { readonly recent: number | null; readonly long: number | null };
}

export interface Context {
  /** Incoming global weights [P]. */
  readonly base: Float32Array;
  readonly round: number;
  /** Of local training. */
  readonly learningRate: number;
  /** Steps that this strategy has taken with its state; 0 in its first round, and after a round whose candidate was rejected. */
  readonly steps: number;
  /** What the last step returned as `state`; empty when `steps` is 0. */
  readonly state: Readonly<Record<string, Float32Array>>;
}

export interface Step {
  /** New global weights − incoming ones [P]; finite. */
  readonly delta: Float32Array | Float64Array | readonly number[];
  /** Share of each update in the step, 0 or more, in the order of the updates; left out: all alike. */
  readonly weights?: Float32Array | Float64Array | readonly number[];
  /** Vectors [P] by name that the next round is given. */
  readonly state?: Readonly<Record<string, Float32Array>>;
}

/** A number that `strategySettings` of a round's input may set. */
export interface Setting {
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
  readonly description?: string;
}

export interface Strategy<
  Settings extends Readonly<Record<string, number>> = Readonly<Record<string, number>>,
> {
  /** One line. */
  readonly summary?: string;
  readonly settings?: { readonly [Name in keyof Settings]: Setting };
  /**
   * The server's step. It must give the same step for the same updates in any order, and leave what it is given as it is.
   * @param updates at least one
   */
  aggregate(updates: readonly Update[], context: Context, settings: Settings): Step | Promise<Step>;
}

/** Gives the strategy back; what it is for is that TypeScript checks it. */
export function defineStrategy<Settings extends Readonly<Record<string, number>>>(
  strategy: Strategy<Settings>,
): Strategy<Settings> {
  return strategy;
}
