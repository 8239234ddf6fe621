import { Root, type IType } from 'protobufjs/light';
import { z } from 'zod';
import { MAX_ONNX_ENTRIES } from './limits';

/** How protocol buffers are read: a field that was set is written whatever its value, and lists of numbers are packed. */
const EDITION = '2023';

type Field = readonly [id: number, type: string, rule?: 'repeated'];

function messageOf(fields: Readonly<Record<string, Field>>): IType & { readonly edition: string } {
  const named = Object.entries(fields).map(([name, [id, type, rule]]) => {
    return [name, rule === undefined ? { id, type } : { id, type, rule }] as const;
  });
  return { edition: EDITION, fields: Object.fromEntries(named) };
}

/**
 * As much of ONNX' file format as Fedloop writes, with the names and numbers of `onnx/onnx.proto3` of ONNX 1.10.2 (Apache-2.0), which later versions
 * keep.
 */
const format = Root.fromJSON({
  nested: {
    ModelProto: messageOf({
      irVersion: [1, 'int64'],
      producerName: [2, 'string'],
      graph: [7, 'GraphProto'],
      opsetImport: [8, 'OperatorSetIdProto', 'repeated'],
      metadataProps: [14, 'StringStringEntryProto', 'repeated'],
    }),
    StringStringEntryProto: messageOf({ key: [1, 'string'], value: [2, 'string'] }),
    OperatorSetIdProto: messageOf({ domain: [1, 'string'], version: [2, 'int64'] }),
    GraphProto: messageOf({
      node: [1, 'NodeProto', 'repeated'],
      name: [2, 'string'],
      initializer: [5, 'TensorProto', 'repeated'],
      input: [11, 'ValueInfoProto', 'repeated'],
      output: [12, 'ValueInfoProto', 'repeated'],
    }),
    NodeProto: messageOf({
      input: [1, 'string', 'repeated'],
      output: [2, 'string', 'repeated'],
      name: [3, 'string'],
      opType: [4, 'string'],
      attribute: [5, 'AttributeProto', 'repeated'],
    }),
    AttributeProto: messageOf({
      name: [1, 'string'],
      f: [2, 'float'],
      i: [3, 'int64'],
      ints: [8, 'int64', 'repeated'],
      type: [20, 'int32'],
    }),
    TensorProto: messageOf({
      dims: [1, 'int64', 'repeated'],
      dataType: [2, 'int32'],
      name: [8, 'string'],
      rawData: [9, 'bytes'],
    }),
    ValueInfoProto: messageOf({ name: [1, 'string'], type: [2, 'TypeProto'] }),
    TypeProto: messageOf({ tensorType: [1, 'TensorTypeProto'] }),
    TensorTypeProto: messageOf({ elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] }),
    TensorShapeProto: messageOf({ dim: [1, 'DimensionProto', 'repeated'] }),
    DimensionProto: messageOf({ dimValue: [1, 'int64'], dimParam: [2, 'string'] }),
  },
}).resolveAll();

const modelProto = format.lookupType('ModelProto');

/** `TensorProto.DataType` */
export const DATA_TYPES = { float: 1, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof DATA_TYPES;

/** `AttributeProto.AttributeType` */
export const ATTRIBUTE_TYPES = { float: 1, int: 2, ints: 7 } as const;

export interface OnnxAttribute {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly ints?: readonly number[];
}

export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly OnnxAttribute[];
}

export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData: Uint8Array;
}

type OnnxDimension = { readonly dimValue: number } | { readonly dimParam: string };

export interface OnnxValueInfo {
  readonly name: string;
  readonly type: {
    readonly tensorType: {
      readonly elemType: number;
      readonly shape: { readonly dim: readonly OnnxDimension[] };
    };
  };
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producerName: string;
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[];
  readonly graph: {
    readonly name: string;
    readonly node: readonly OnnxNode[];
    readonly initializer: readonly OnnxTensor[];
    readonly input: readonly OnnxValueInfo[];
    readonly output: readonly OnnxValueInfo[];
  };
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
}

/** The bytes of an ONNX file; the same model always gives the same. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  return modelProto.encode(model).finish();
}

/** What Fedloop reads of a file: its metadata, and the bytes of its tensors. All else is passed over, however much there is of it. */
const readable = Root.fromJSON({
  nested: {
    ModelProto: messageOf({
      graph: [7, 'GraphProto'],
      metadataProps: [14, 'StringStringEntryProto', 'repeated'],
    }),
    StringStringEntryProto: messageOf({ key: [1, 'string'], value: [2, 'string'] }),
    GraphProto: messageOf({ initializer: [5, 'TensorProto', 'repeated'] }),
    TensorProto: messageOf({ name: [8, 'string'], rawData: [9, 'bytes'] }),
  },
}).resolveAll();

const readableProto = readable.lookupType('ModelProto');

/** Counted before they are looked at. */
const few = z.custom<readonly unknown[]>((value) => Array.isArray(value) && value.length <= MAX_ONNX_ENTRIES);
const sizeSchema = z.object({ metadataProps: few, graph: z.object({ initializer: few }) });

const readableSchema = z.object({
  metadataProps: z.array(z.object({ key: z.string(), value: z.string() })),
  graph: z.object({
    initializer: z.array(z.object({ name: z.string(), rawData: z.instanceof(Uint8Array) })),
  }),
});
export type ReadableOnnx = z.infer<typeof readableSchema>;

/** @throws Error for bytes that are no ONNX file, or that have more tensors or metadata than one of ours. */
export function decodeOnnx(bytes: Uint8Array): ReadableOnnx {
  const message = readableProto.decode(bytes);
  sizeSchema.parse(message);
  return readableSchema.parse(readableProto.toObject(message, { defaults: true }));
}
