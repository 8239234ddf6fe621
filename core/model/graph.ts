import {
  ATTRIBUTE_TYPES,
  DATA_TYPES,
  encodeOnnx,
  type ElementType,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from './onnx-format';

/** Opset 13 holds every operator used here (ReduceSum takes its axes as an input since then); IR 7 came with it. */
const OPSET = 13;
const IR_VERSION = 7;

/** Name of a value in a graph: an input, a constant, or what a node computes. */
export type Value = string;

/** A dimension is a number, or a name for one that is known only when the graph runs. */
export type Dimension = number | string;

/** Whole numbers are written as they are; a number that ONNX wants as a float is wrapped. */
export type AttributeValue = number | readonly number[] | { readonly float: number };

/**
 * Writes an ONNX graph the way one writes the formula: each call returns the name of its value, to be used in the next.
 *
 * ```ts
 * const hidden = graph.op('Relu', [graph.op('MatMul', [x, w1])]);
 * ```
 */
export class GraphBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: OnnxTensor[] = [];
  private readonly inputs: OnnxValueInfo[] = [];
  private readonly outputs: OnnxValueInfo[] = [];
  private readonly integerConstants = new Set<Value>();

  constructor(private readonly name: string) {}

  input(name: string, dims: readonly Dimension[], type: ElementType = 'float'): Value {
    this.inputs.push(valueInfo(name, dims, type));
    return name;
  }

  /** A constant tensor of floats, kept in the file as raw little-endian bytes. */
  constant(name: string, dims: readonly number[], values: Float32Array | readonly number[]): Value {
    const rawData = new Uint8Array(Float32Array.from(values).buffer);
    this.initializers.push({ name, dims: [...dims], dataType: DATA_TYPES.float, rawData });
    return name;
  }

  /** A constant list of whole numbers (a shape, axes, bounds of a slice); equal lists share one constant. */
  integers(...values: readonly number[]): Value {
    return this.int64s(`integers_${values.join('_')}`, [values.length], values);
  }

  /** A single whole number without dimensions. */
  integer(value: number): Value {
    return this.int64s(`integer_${value}`, [], [value]);
  }

  private int64s(name: string, dims: readonly number[], values: readonly number[]): Value {
    if (!this.integerConstants.has(name)) {
      const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
      this.initializers.push({ name, dims: [...dims], dataType: DATA_TYPES.int64, rawData });
      this.integerConstants.add(name);
    }
    return name;
  }

  /** Append a node with one output, named `output` when given. */
  op(
    opType: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    output?: string,
  ): Value {
    const name = output ?? `${opType}_${this.nodes.length}`;
    const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value));
    this.nodes.push({ name, opType, input: [...inputs], output: [name], attribute });
    return name;
  }

  /** Part of `value` along one axis: elements `from` up to (not with) `until`. */
  slice(value: Value, axis: number, from: number, until: number): Value {
    return this.op('Slice', [value, this.integers(from), this.integers(until), this.integers(axis)]);
  }

  /** Element `index` of the first axis, which is gone afterwards. */
  at(value: Value, index: number): Value {
    return this.op('Gather', [value, this.integer(index)]);
  }

  /** A stack of matrices, each transposed. */
  transpose(value: Value): Value {
    return this.op('Transpose', [value], { perm: [0, 2, 1] });
  }

  /** The same numbers in another shape; −1 stands for what is left, 0 for the dimension as it is. */
  reshape(value: Value, ...dims: readonly number[]): Value {
    return this.op('Reshape', [value, this.integers(...dims)]);
  }

  /** Make `value` an output of the graph, under its own name. */
  output(value: Value, dims: readonly Dimension[]): void {
    this.outputs.push(valueInfo(value, dims, 'float'));
  }

  /** The whole as the bytes of an ONNX file. */
  encode(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    return encodeOnnx({
      irVersion: IR_VERSION,
      producerName: 'fedloop',
      opsetImport: [{ domain: '', version: OPSET }],
      graph: {
        name: this.name,
        node: this.nodes,
        initializer: this.initializers,
        input: this.inputs,
        output: this.outputs,
      },
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }
}

function attributeOf(name: string, value: AttributeValue): OnnxAttribute {
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPES.int, i: value };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPES.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPES.ints, ints: [...value] };
}

function valueInfo(name: string, dims: readonly Dimension[], type: ElementType): OnnxValueInfo {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: DATA_TYPES[type], shape: { dim } } } };
}
