import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writer } from 'protobufjs/light';
import { MAX_MODEL_BYTES, untrainedLineage } from '../../../core/contracts/deployments';
import { FedloopError } from '../../../core/contracts/errors';
import { acceptModel } from '../../../core/model/accept-deployment';
import { modelMessage } from '../../../core/model/deployment-messages';
import { decodeModel, encodeModel, sha256Of } from '../../../core/model/model-file';
import { untrainedModel } from '../../support/task';

const sound = encodeModel(untrainedModel('v1'));

/** Numbers of fields in `onnx.proto3`. */
const MODEL = { graph: 7, opsetImport: 8, metadata: 14, trainingInfo: 20, functions: 25 };
const GRAPH = { node: 1, initializer: 5, output: 12 };
const LENGTH_DELIMITED = 2;

/** A field of a message, as bytes. */
function field(id: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Writer.create()
    .uint32((id << 3) | LENGTH_DELIMITED)
    .bytes(bytes)
    .finish();
}

const fields = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
/** Behind a sound file: a second message under the same number is merged with the first. */
const behind = (...parts: readonly Uint8Array[]): Uint8Array => fields(sound, ...parts);
const inGraph = (...parts: readonly Uint8Array[]): Uint8Array => behind(field(MODEL.graph, fields(...parts)));

const customNode = fields(
  field(1, 'features'),
  field(2, 'change'),
  field(4, 'Exec'),
  field(7, 'evil.example'),
);
const entry = (key: string, value: string): Uint8Array => fields(field(1, key), field(2, value));
/** `external_data` (13) with the place of a file, and `data_location` (14) that says so. */
const externalTensor = fields(
  field(8, 'w1'),
  field(13, entry('location', '/etc/passwd')),
  Uint8Array.of(0x70, 1),
);

/** Time of the processor that this process has used: other tests beside it do not count. */
const cpuMillis = (): number => process.cpuUsage().user / 1_000;

/** What a file is refused with, and how long that took. */
function refusal(bytes: Uint8Array): { readonly why: string; readonly millis: number } {
  const began = cpuMillis();
  try {
    decodeModel(bytes);
  } catch (thrown) {
    if (!(thrown instanceof FedloopError) || thrown.code !== 'InvalidModel') throw thrown;
    return { why: thrown.message, millis: cpuMillis() - began };
  }
  return { why: 'accepted', millis: cpuMillis() - began };
}

describe('a file that a stranger has made', () => {
  it.each([
    ['a custom operator', inGraph(field(GRAPH.node, customNode))],
    ['weights in another file', inGraph(field(GRAPH.initializer, externalTensor))],
    ['another output', inGraph(field(GRAPH.output, field(1, 'more')))],
    ['functions', behind(field(MODEL.functions, field(1, 'f')))],
    ['a graph to train with', behind(field(MODEL.trainingInfo, ''))],
    ['another set of operators', behind(field(MODEL.opsetImport, field(1, 'evil.example')))],
    ['a field that ONNX does not know', behind(field(999, 'x'))],
    ['a megabyte of graphs without content', behind(Buffer.alloc(400_000, field(MODEL.graph, '')))],
    ['half a million empty nodes', inGraph(Buffer.alloc(900_000, field(GRAPH.node, '')))],
    ['half a million empty tensors', inGraph(Buffer.alloc(900_000, field(GRAPH.initializer, '')))],
    ['half a million empty metadata', behind(Buffer.alloc(900_000, field(MODEL.metadata, '')))],
    ['metadata that are there twice', behind(field(MODEL.metadata, entry('fedloop_version', 'v1')))],
    ['bytes behind its end', behind(Uint8Array.of(0))],
    ['100 MB of nothing', Buffer.alloc(100 * MAX_MODEL_BYTES)],
    [
      'a graph in a graph, a hundred thousand deep',
      Buffer.alloc(200_000, Uint8Array.of((MODEL.graph << 3) | 2, 0x7f)),
    ],
  ])('is refused for %s', (_, bytes) => {
    const { why, millis } = refusal(bytes);
    expect(why).toMatch(/^(not a usable model|the metadata of a model file)/);
    // It takes 0.2 s at most; a collection of garbage may fall into it.
    expect(millis).toBeLessThan(1_000);
  });

  it('is refused when it claims more weights than it has bytes', () => {
    const claims = Buffer.from(sound);
    const shape = '"inputs":29,"hidden":32';
    claims.write('"inputs":4096,"hidden":4', claims.indexOf(shape));
    expect(refusal(claims).why).not.toBe('accepted');
  });

  it('is refused in a deployment although its hash is right', () => {
    const bytes = inGraph(field(GRAPH.node, customNode));
    const message = modelMessage(untrainedModel('v1'), untrainedLineage(1), '2026-01-01');
    const hostile = {
      ...message,
      onnx_base64: Buffer.from(bytes).toString('base64'),
      sha256: sha256Of(bytes),
    };
    expect(() => acceptModel(hostile)).toThrow(/its graph is not the one/);
  });
});

describe('sessions of onnxruntime', () => {
  it('are opened in one place, which gets graphs that Fedloop has written itself', () => {
    const root = join(__dirname, '../../..');
    const opening = ['core', 'activities', 'workers', 'cli', 'fleet', 'workflows']
      .flatMap((room) =>
        readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((file) => join(room, file)),
      )
      .filter((file) => file.endsWith('.ts'))
      .filter((file) =>
        /InferenceSession\.create|openSession\(/.test(readFileSync(join(root, file), 'utf8')),
      );
    expect(opening.sort()).toEqual([
      'core/model/batch-predictor.ts',
      'core/model/batch-trainer.ts',
      'core/model/session.ts',
    ]);
  });
});
