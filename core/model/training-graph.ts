import { GraphBuilder, type Value } from './graph';
import { activationsOf, outputsOf, unstack, withOnes, type StackedWeights } from './stacked-network';
import { parameterCount, type NetworkShape } from './types';

export interface TrainingGraphOptions {
  readonly shape: NetworkShape;
  readonly batchSize: number;
  /** Mini-batch steps written out in the graph. */
  readonly steps: number;
  readonly residualClip: number;
  readonly proximal: boolean;
  /** Whether every gradient is corrected by a vector of the device's own. */
  readonly corrected: boolean;
}

/** One mini-batch of D devices: x [D, B, inputs + 1], target and step size [D, B, 1]. */
interface Batch {
  readonly x: Value;
  readonly target: Value;
  readonly stepSize: Value;
}

interface Constants {
  readonly batchSize: number;
  /** [B, 1] */
  readonly ones: Value;
  /** Bounds of a residual. */
  readonly lowest: Value;
  readonly highest: Value;
}

/**
 * `steps` steps of gradient descent for any number D of devices at once, each with weights and rows of its own.
 *
 * Inputs: `x` [R, inputs] all rows, `weights` [D, P], `row` [steps, D, B] (which of the R), `target` and `step_size`
 * [steps, D, B, 1] (see `EpochPlan`); with `proximal` also `base` [D, P] and `pull` [steps, D, 1, 1] (η μ, or 0), with
 * `corrected` also `correction` [D, P] and `correction_step` [steps, D, 1, 1] (η, or 0).
 * Output: `trained` [D, P]. The arithmetic is that of `sgdStep` in bench/support/reference-network.ts, written for stacks of matrices.
 */
export function trainingGraph(options: TrainingGraphOptions): Uint8Array {
  const { shape, steps, batchSize } = options;
  const parameters = parameterCount(shape);
  const graph = new GraphBuilder('fedloop-train');
  const x = graph.input('x', ['R', shape.inputs]);
  const flat = graph.input('weights', ['D', parameters]);
  const rows = graph.input('row', [steps, 'D', batchSize], 'int32');
  const targets = graph.input('target', [steps, 'D', batchSize, 1]);
  const stepSizes = graph.input('step_size', [steps, 'D', batchSize, 1]);

  const allRows = withOnes(graph, x, 2);
  const constants: Constants = {
    batchSize,
    ones: graph.constant('ones', [batchSize, 1], new Float32Array(batchSize).fill(1)),
    lowest: graph.constant('lowest', [], [-options.residualClip]),
    highest: graph.constant('highest', [], [options.residualClip]),
  };
  const proximal = options.proximal && {
    base: unstack(graph, graph.input('base', ['D', parameters]), shape),
    pull: graph.input('pull', [steps, 'D', 1, 1]),
  };

  const corrected = options.corrected && {
    by: unstack(graph, graph.input('correction', ['D', parameters]), shape),
    step: graph.input('correction_step', [steps, 'D', 1, 1]),
  };

  let weights = unstack(graph, flat, shape);
  for (let step = 0; step < steps; step += 1) {
    const batch = {
      x: graph.op('Gather', [allRows, graph.at(rows, step)]),
      target: graph.at(targets, step),
      stepSize: graph.at(stepSizes, step),
    };
    let moved = subtract(graph, weights, descent(graph, weights, batch, constants));
    if (proximal) {
      const pull = graph.at(proximal.pull, step);
      moved = subtract(graph, moved, pullToBase(graph, weights, proximal.base, pull));
    }
    weights = corrected
      ? subtract(graph, moved, scaled(graph, corrected.by, graph.at(corrected.step, step)))
      : moved;
  }
  const parts = [weights.hidden, weights.output, weights.bias].map((part) => graph.reshape(part, 0, -1));
  graph.output(graph.op('Concat', parts, { axis: 1 }, 'trained'), ['D', parameters]);
  return graph.encode();
}

/** η times the gradient: forward, the clipped residual, and back-propagation. */
function descent(
  graph: GraphBuilder,
  weights: StackedWeights,
  batch: Batch,
  constants: Constants,
): StackedWeights {
  const activations = activationsOf(graph, batch.x, weights);
  const errors = graph.op('Sub', [outputsOf(graph, activations, weights), batch.target]);
  const residuals = graph.op('Clip', [errors, constants.lowest, constants.highest]);
  const atOutput = graph.op('Mul', [residuals, batch.stepSize]);
  // A matrix product of a column and a row: onnxruntime is several times faster at it than at broadcasting.
  const backwards = graph.op('MatMul', [atOutput, graph.reshape(weights.output, 0, 1, -1)]);
  const atHidden = graph.op('Mul', [backwards, isActive(graph, activations)]);
  return {
    hidden: graph.op('MatMul', [graph.transpose(batch.x), atHidden]),
    output: graph.op('MatMul', [graph.transpose(activations), atOutput]),
    bias: sumOfBatch(graph, atOutput, constants),
  };
}

/**
 * 1 where a unit was active, else 0. Activations are never negative, so min(1, 10³⁰ · activation) is their sign;
 * onnxruntime has HardSigmoid vectorised, and Sign (or a comparison) not.
 */
function isActive(graph: GraphBuilder, activations: Value): Value {
  return graph.op('HardSigmoid', [activations], { alpha: { float: 1e30 }, beta: { float: 0 } });
}

/** [D, B, 1] summed over the batch to [D, 1, 1]: as one product with ones, which beats ReduceSum on short rows. */
function sumOfBatch(graph: GraphBuilder, values: Value, { batchSize, ones }: Constants): Value {
  const sums = graph.op('MatMul', [graph.reshape(values, -1, batchSize), ones]);
  return graph.reshape(sums, -1, 1, 1);
}

/** η μ (w − base): FedProx (Li et al. 2020, arXiv 1812.06127). */
function pullToBase(
  graph: GraphBuilder,
  weights: StackedWeights,
  base: StackedWeights,
  pull: Value,
): StackedWeights {
  return scaled(graph, subtract(graph, weights, base), pull);
}

function scaled(graph: GraphBuilder, what: StackedWeights, factor: Value): StackedWeights {
  const of = (part: keyof StackedWeights): Value => graph.op('Mul', [what[part], factor]);
  return { hidden: of('hidden'), output: of('output'), bias: of('bias') };
}

function subtract(graph: GraphBuilder, from: StackedWeights, what: StackedWeights): StackedWeights {
  const of = (part: keyof StackedWeights): Value => graph.op('Sub', [from[part], what[part]]);
  return { hidden: of('hidden'), output: of('output'), bias: of('bias') };
}
