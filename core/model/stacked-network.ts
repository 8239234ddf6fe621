import { type GraphBuilder, type Value } from './graph';
import { weightOffsets } from './network';
import { type NetworkShape } from './types';

/** Weights of M networks as stacks of matrices, one after the other along the first axis. */
export interface StackedWeights {
  /** [M, inputs + 1, hidden]: the last input is always 1, so its weights are the bias. */
  readonly hidden: Value;
  /** [M, hidden, 1] */
  readonly output: Value;
  /** [M, 1, 1] */
  readonly bias: Value;
}

/** Matrices out of rows of flat weights [M, P]: W1 and b1 stand one after the other, so together they are one matrix. */
export function unstack(graph: GraphBuilder, flat: Value, { inputs, hidden }: NetworkShape): StackedWeights {
  const { w2, b2 } = weightOffsets({ inputs, hidden });
  return {
    hidden: graph.reshape(graph.slice(flat, 1, 0, w2), -1, inputs + 1, hidden),
    output: graph.reshape(graph.slice(flat, 1, w2, b2), -1, hidden, 1),
    bias: graph.reshape(graph.slice(flat, 1, b2, b2 + 1), -1, 1, 1),
  };
}

/** x [..., inputs] with a last column of ones, [..., inputs + 1]; `rank` is the number of its dimensions. */
export function withOnes(graph: GraphBuilder, x: Value, rank: number): Value {
  const padding = new Array<number>(2 * rank).fill(0);
  padding[2 * rank - 1] = 1;
  return graph.op('Pad', [x, graph.integers(...padding), graph.constant('one', [], [1])]);
}

/** Hidden activations [M, S, hidden] for x [S, inputs + 1], the same rows for all networks, or [M, S, inputs + 1]. */
export function activationsOf(graph: GraphBuilder, x: Value, weights: StackedWeights): Value {
  return graph.op('Relu', [graph.op('MatMul', [x, weights.hidden])]);
}

/** Outputs [M, S, 1] from hidden activations. */
export function outputsOf(graph: GraphBuilder, activations: Value, weights: StackedWeights): Value {
  return graph.op('Add', [graph.op('MatMul', [activations, weights.output]), weights.bias]);
}
