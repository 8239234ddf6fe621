import { GraphBuilder, type Value } from './graph';
import { activationsOf, outputsOf, unstack, withOnes } from './stacked-network';
import { FEATURE_CLIP, parameterCount, type NetworkShape } from './types';

/** onnx.TensorProto.DataType.FLOAT, as the operator Cast names it. */
const FLOAT = 1;

/**
 * Many networks on rows of scaled features. Inputs: `weights` [M, P] and `x`, either [S, inputs], shared by all networks,
 * or [M, S, inputs], each network's own. Output: `outputs` [M, S, 1] in units of tolerance.
 */
export function forwardGraph(shape: NetworkShape, rows: 'shared' | 'own'): Uint8Array {
  const graph = new GraphBuilder('fedloop-forward');
  const x = graph.input('x', rows === 'shared' ? ['S', shape.inputs] : ['M', 'S', shape.inputs]);
  const outputs = stackedForward(graph, withOnes(graph, x, rows === 'shared' ? 2 : 3), shape);
  graph.output(graph.op('Identity', [outputs], {}, 'outputs'), ['M', 'S', 1]);
  return graph.encode();
}

/**
 * How many of the same rows many networks get right. Inputs: `weights` [M, P]; scaled features `x` with a last column of ones [S, inputs + 1] and
 * what came of them, `actual` [S], in units of tolerance; `groups` [S, G], 1 where a row belongs to a group and 0 elsewhere. Output: `counts`
 * [M, G] of rows with |output − actual| ≤ 1. Outputs of networks are counted where they are made: [M, S] of them never leave the cache.
 */
export function countingGraph(shape: NetworkShape): Uint8Array {
  const graph = new GraphBuilder('fedloop-counting');
  const x = graph.input('x', ['S', shape.inputs + 1]);
  const actual = graph.input('actual', ['S']);
  const groups = graph.input('groups', ['S', 'G']);
  const weights = unstack(graph, graph.input('weights', ['M', parameterCount(shape)]), shape);
  const outputs = outputsOf(graph, activationsOf(graph, x, weights), weights);
  const errors = graph.op('Abs', [graph.op('Sub', [graph.reshape(outputs, 0, -1), actual])]);
  const isCorrect = graph.op('LessOrEqual', [errors, graph.constant('edge', [1], [1])]);
  const correct = graph.op('Cast', [isCorrect], { to: FLOAT });
  graph.output(graph.op('MatMul', [correct, groups], {}, 'counts'), ['M', 'G']);
  return graph.encode();
}

/**
 * Several versions of the model on the same rows of raw features [S, inputs], NaN where missing; like the graph of a
 * model file, but weights [M, P], `mean` and `scale` [M, 1, inputs] and `tolerance` [M, 1, 1] are inputs, so one session
 * serves any versions. Output: `change` [M, S, 1].
 */
export function versionsGraph(shape: NetworkShape): Uint8Array {
  const graph = new GraphBuilder('fedloop-versions');
  const features = graph.input('features', ['S', shape.inputs]);
  const mean = graph.input('mean', ['M', 1, shape.inputs]);
  const scale = graph.input('scale', ['M', 1, shape.inputs]);
  const tolerance = graph.input('tolerance', ['M', 1, 1]);
  const scaled = scaleInGraph(graph, features, mean, scale);
  const inTolerances = stackedForward(graph, withOnes(graph, scaled, 3), shape);
  graph.output(graph.op('Mul', [inTolerances, tolerance], {}, 'change'), ['M', 'S', 1]);
  return graph.encode();
}

/** `scaleFeatures` as graph operators: clip((raw − mean) / scale, ±4), and 0 where the value is missing. */
export function scaleInGraph(graph: GraphBuilder, features: Value, mean: Value, scale: Value): Value {
  const zero = graph.constant('zero', [], [0]);
  const lowest = graph.constant('lowest', [], [-FEATURE_CLIP]);
  const highest = graph.constant('highest', [], [FEATURE_CLIP]);
  const standardised = graph.op('Div', [graph.op('Sub', [features, mean]), scale]);
  const present = graph.op('Where', [graph.op('IsNaN', [standardised]), zero, standardised]);
  return graph.op('Clip', [present, lowest, highest]);
}

function stackedForward(graph: GraphBuilder, x: Value, shape: NetworkShape): Value {
  const weights = unstack(graph, graph.input('weights', ['M', parameterCount(shape)]), shape);
  return outputsOf(graph, activationsOf(graph, x, weights), weights);
}
