import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MAX_MODEL_BYTES } from '../contracts/deployments';
import { FedloopError, messageOf } from '../contracts/errors';
import { versionIdSchema } from '../contracts/ids';
import { jsonText, parseOrThrow } from '../contracts/validation';
import { GraphBuilder } from './graph';
import { MAX_HIDDEN, MAX_INPUTS } from './limits';
import { weightOffsets } from './network';
import { decodeOnnx, type ReadableOnnx } from './onnx-format';
import { scaleInGraph } from './prediction-graphs';
import { parameterCount, type FlatWeights, type GlobalModel, type ModelMetadata } from './types';

/** Raised when the graph or its metadata change in a way that older readers cannot follow. Earlier formats stay readable. */
const FORMATS = ['1', '2'] as const;
type Format = (typeof FORMATS)[number];
const FORMAT: Format = '2';

/** Names in the graph. Format 1 is from when every target was a temperature; it computes the same. */
const NAMES: Readonly<Record<Format, { readonly tolerance: string; readonly change: string }>> = {
  '1': { tolerance: 'tolerance_celsius', change: 'change_celsius' },
  '2': { tolerance: 'tolerance', change: 'change' },
};

/** The graph computes in 32 bits: a number must stay one there, and a divisor must not become 0. */
const float32Schema = z.number().refine((value) => Number.isFinite(Math.fround(value)), 'must fit 32 bits');
const divisorSchema = float32Schema.refine((value) => Math.fround(value) > 0, 'must be above 0');

/** The file's `metadata_props`: text each; everything but the format is JSON. */
const propertiesSchema = z
  .object({
    fedloop_format: z.enum(FORMATS),
    fedloop_version: versionIdSchema,
    fedloop_shape: jsonText(
      z.strictObject({ inputs: z.int().min(1).max(MAX_INPUTS), hidden: z.int().min(1).max(MAX_HIDDEN) }),
    ),
    fedloop_scaling: jsonText(
      z.strictObject({ mean: z.array(float32Schema), scale: z.array(divisorSchema) }),
    ),
    fedloop_tolerance: jsonText(divisorSchema),
    fedloop_residual_stddev: jsonText(z.number().nonnegative().nullable()),
  })
  .refine(({ fedloop_shape: { inputs }, fedloop_scaling: { mean, scale } }) => {
    return mean.length === inputs && scale.length === inputs;
  }, 'the scaling must have one mean and one scale for each input');

/**
 * A model as a self-contained ONNX file: input `features` [N, inputs] raw, NaN where missing; output
 * `change` [N], the forecast change of the target's mean, in its unit. Scaling, clipping and tolerance are inside the graph, so any
 * ONNX runtime gets the numbers that Fedloop gets. The same model always gives the same bytes.
 *
 * @throws FedloopError `InvalidModel` when the model would not be accepted by `decodeModel`.
 */
export function encodeModel(model: GlobalModel): Uint8Array {
  const { metadata } = model;
  const properties = {
    fedloop_format: FORMAT,
    fedloop_version: metadata.version,
    fedloop_shape: JSON.stringify({ inputs: metadata.shape.inputs, hidden: metadata.shape.hidden }),
    fedloop_scaling: JSON.stringify({ mean: metadata.scaling.mean, scale: metadata.scaling.scale }),
    fedloop_tolerance: JSON.stringify(metadata.tolerance),
    fedloop_residual_stddev: JSON.stringify(metadata.residualStddev),
  };
  parseProperties(properties);
  assertWeights(model.weights, parameterCount(metadata.shape));
  return predictGraph(model, FORMAT).encode(properties);
}

/**
 * Read a model back from its file.
 * @throws FedloopError `InvalidModel` when the bytes are no ONNX file, its metadata are incomplete or out of range, a weight is not finite,
 *   or they are other bytes than `encodeModel` writes for these weights.
 */
export function decodeModel(bytes: Uint8Array): GlobalModel {
  if (bytes.byteLength > MAX_MODEL_BYTES) throw invalid(`it has ${bytes.byteLength} bytes`);
  const file = decodeProtobuf(bytes);
  const properties = Object.fromEntries(file.metadataProps.map(({ key, value }) => [key, value]));
  const { format, metadata } = parseProperties(properties);
  // Before room is made for weights that are not there.
  if (4 * parameterCount(metadata.shape) > bytes.byteLength) throw invalid('it is shorter than its weights');
  const weights = weightsOf(file, metadata);
  assertWeights(weights, parameterCount(metadata.shape));
  // Byte by byte: another operator, external data, functions, a second graph or anything behind it that another runtime might read is refused.
  const expected = predictGraph({ metadata, weights }, format).encode(properties);
  if (Buffer.compare(bytes, expected) !== 0)
    throw invalid('its graph is not the one that its weights and metadata stand for');
  return { metadata, weights };
}

/** SHA-256 in hexadecimal: a model is known by the hash of its file. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function predictGraph({ metadata, weights }: GlobalModel, format: Format): GraphBuilder {
  const { inputs, hidden } = metadata.shape;
  const { b1, w2, b2 } = weightOffsets(metadata.shape);
  const graph = new GraphBuilder('fedloop-predict');

  const features = graph.input('features', ['N', inputs]);
  const mean = graph.constant('mean', [inputs], metadata.scaling.mean);
  const scale = graph.constant('scale', [inputs], metadata.scaling.scale);
  const scaled = scaleInGraph(graph, features, mean, scale);

  const hiddenWeights = graph.constant('w1', [inputs, hidden], weights.subarray(0, b1));
  const hiddenBias = graph.constant('b1', [hidden], weights.subarray(b1, w2));
  const activations = graph.op('Relu', [
    graph.op('Add', [graph.op('MatMul', [scaled, hiddenWeights]), hiddenBias]),
  ]);

  const outputWeights = graph.constant('w2', [hidden], weights.subarray(w2, b2));
  const outputBias = graph.constant('b2', [1], weights.subarray(b2));
  const inTolerances = graph.op('Add', [graph.op('MatMul', [activations, outputWeights]), outputBias]);

  const names = NAMES[format];
  const tolerance = graph.constant(names.tolerance, [1], [metadata.tolerance]);
  graph.output(graph.op('Mul', [inTolerances, tolerance], {}, names.change), ['N']);
  return graph;
}

function weightsOf(file: ReadableOnnx, { shape }: ModelMetadata): FlatWeights {
  const weights = new Float32Array(parameterCount(shape));
  const { b1, w2, b2 } = weightOffsets(shape);
  const offsets = { w1: 0, b1, w2, b2 };
  const ends = { w1: b1, b1: w2, w2: b2, b2: weights.length };
  for (const part of ['w1', 'b1', 'w2', 'b2'] as const) {
    const raw = file.graph.initializer.find(({ name }) => name === part)?.rawData ?? new Uint8Array();
    const bytes = 4 * (ends[part] - offsets[part]);
    if (raw.byteLength !== bytes)
      throw invalid(`weights "${part}" have ${raw.byteLength} bytes instead of ${bytes}`);
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let at = 0; at < bytes; at += 4) weights[offsets[part] + at / 4] = view.getFloat32(at, true);
  }
  return weights;
}

function decodeProtobuf(bytes: Uint8Array): ReadableOnnx {
  try {
    return decodeOnnx(bytes);
  } catch (cause) {
    throw invalid(`it is no ONNX file (${messageOf(cause)})`, cause);
  }
}

function parseProperties(properties: Readonly<Record<string, string>>): {
  readonly format: Format;
  readonly metadata: ModelMetadata;
} {
  const { fedloop_tolerance_celsius: former, ...rest } = properties;
  const named =
    rest['fedloop_format'] === '1' && former !== undefined
      ? { ...rest, fedloop_tolerance: former }
      : properties;
  const parsed = parseOrThrow(propertiesSchema, named, 'the metadata of a model file', 'InvalidModel');
  return {
    format: parsed.fedloop_format,
    metadata: {
      version: parsed.fedloop_version,
      shape: parsed.fedloop_shape,
      scaling: parsed.fedloop_scaling,
      tolerance: parsed.fedloop_tolerance,
      residualStddev: parsed.fedloop_residual_stddev,
    },
  };
}

function assertWeights(weights: FlatWeights, parameters: number): void {
  if (weights.length !== parameters)
    throw invalid(`it has ${weights.length} weights instead of ${parameters}`);
  if (!weights.every(Number.isFinite)) throw invalid('a weight is not finite');
}

function invalid(why: string, cause?: unknown): FedloopError {
  return new FedloopError('InvalidModel', `not a usable model: ${why}`, { cause });
}
