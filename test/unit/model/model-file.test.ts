import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { FedloopError } from '../../../core/contracts/errors';
import { versionIdSchema } from '../../../core/contracts/ids';
import { scaleFeatures } from '../../../core/model/features';
import { decodeModel, encodeModel, sha256Of } from '../../../core/model/model-file';
import { forward } from '../../../bench/support/reference-network';
import { initialWeights } from '../../../core/model/network';
import { type GlobalModel } from '../../../core/model/types';
import { seededRandom } from '../../../core/platform/random';
import { SHAPE } from '../../support/task';

const random = seededRandom(5, 'model-file');
const { inputs } = SHAPE;

const model: GlobalModel = {
  metadata: {
    version: versionIdSchema.parse('v3-steady'),
    shape: SHAPE,
    scaling: {
      mean: Array.from({ length: inputs }, () => random.normal()),
      scale: Array.from({ length: inputs }, () => 0.5 + random.uniform()),
    },
    tolerance: 0.8,
    residualStddev: 0.61,
  },
  weights: initialWeights(SHAPE, 7),
};

function refusal(bytes: Uint8Array): string {
  try {
    decodeModel(bytes);
  } catch (thrown) {
    if (thrown instanceof FedloopError && thrown.code === 'InvalidModel') return thrown.message;
    throw thrown;
  }
  return 'accepted';
}

/** The file with the first occurrence of some bytes replaced by others of the same length. */
function patched(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(from);
  expect(at).toBeGreaterThan(0);
  copy.write(to, at);
  return copy;
}

describe('the model file', () => {
  it('gives back exactly the model that went in', () => {
    const read = decodeModel(encodeModel(model));
    expect(read.metadata).toEqual(model.metadata);
    expect(read.weights).toEqual(model.weights);
  });

  it('keeps an unknown residual spread unknown', () => {
    const untried: GlobalModel = { ...model, metadata: { ...model.metadata, residualStddev: null } };
    expect(decodeModel(encodeModel(untried)).metadata.residualStddev).toBeNull();
  });

  it('is the same bytes, and so the same hash, for the same model', () => {
    const bytes = encodeModel(model);
    expect(sha256Of(encodeModel(decodeModel(bytes)))).toBe(sha256Of(bytes));
    expect(sha256Of(bytes)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('computes in any ONNX runtime what the reference computes, in the target’s unit, from raw features with gaps', async () => {
    const rows = 50;
    const raw = Float32Array.from({ length: rows * inputs }, () =>
      random.uniform() < 0.1 ? NaN : 4 * random.normal(),
    );
    const session = await InferenceSession.create(encodeModel(model));
    const { change } = await session.run({
      features: new Tensor('float32', raw, [rows, inputs]),
    });
    await session.release();

    const scaled = raw.slice();
    scaleFeatures(scaled, rows, model.metadata.scaling);
    const expected = forward(SHAPE, model.weights, scaled, rows).map(
      (output) => output * model.metadata.tolerance,
    );
    expect(change!.dims).toEqual([rows]);
    const actual = change!.data as Float32Array;
    expected.forEach((value, row) => {
      expect(Math.abs(actual[row]! - value)).toBeLessThan(1e-5);
    });
  });

  it('reads a file of the release before, whose names said °C, as the same model', () => {
    const former = readFileSync(join(__dirname, '../../support/saved-run/v2.onnx'));
    expect(former.includes('change_celsius')).toBe(true);
    const read = decodeModel(former);
    expect(read.metadata).toMatchObject({ version: 'v2', tolerance: 1 });
    expect(decodeModel(encodeModel(read))).toEqual(read);
    expect(refusal(patched(former, 'Relu', 'Tanh'))).toMatch(/graph/);
    expect(refusal(patched(former, 'fedloop_tolerance_celsius', 'fedloop_tolerance_colsius'))).toMatch(
      /fedloop_tolerance/,
    );
  });

  it('refuses bytes that are no model, with the reason', () => {
    const bytes = encodeModel(model);
    expect(refusal(new Uint8Array())).toMatch(/not a usable model|is not valid/);
    expect(refusal(Buffer.from('not a protobuf at all'))).toMatch(/not a usable model|is not valid/);
    expect(refusal(bytes.subarray(0, bytes.length / 2))).toMatch(/not a usable model|is not valid/);
    expect(refusal(patched(bytes, 'fedloop_format', 'fedloop_formet'))).toMatch(/fedloop_format/);
    expect(refusal(patched(bytes, 'v3-steady', 'v3-greedy'))).toMatch(/a version is named/);
    expect(refusal(patched(bytes, '"hidden":32', '"hidden":33'))).toMatch(/weights/);
    expect(refusal(patched(bytes, '"hidden":32', '"hidden":-2'))).toMatch(/hidden/);
  });

  it('refuses a graph that would not compute what the weights say', () => {
    const bytes = encodeModel(model);
    expect(refusal(patched(bytes, 'Relu', 'Tanh'))).toMatch(/graph/);
    expect(refusal(patched(bytes, '0.61', '0.62'))).toBe('accepted');
    expect(refusal(patched(bytes, '"mean":[', '"mean":{'))).toMatch(/JSON/);
    const scale = JSON.stringify(model.metadata.scaling.scale[0]);
    expect(refusal(patched(bytes, scale, scale.replace('.', '.9').slice(0, scale.length)))).toMatch(/graph/);
  });

  it('refuses damaged bytes as a model, never with another error', () => {
    const bytes = encodeModel(model);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(64), (at, value, length) => {
        const damaged = Uint8Array.from(bytes);
        damaged.fill(value, at, at + length);
        const reason = refusal(damaged);
        if (reason === 'accepted') expect(decodeModel(damaged).weights).toHaveLength(993);
      }),
    );
  });

  it('refuses to write what it would not read', () => {
    const broken = { ...model, weights: model.weights.map((weight, at) => (at === 3 ? NaN : weight)) };
    expect(() => encodeModel(broken)).toThrow('a weight is not finite');
    expect(() => encodeModel({ ...model, weights: new Float32Array(3) })).toThrow('3 weights instead of 993');
    const noSpread = {
      ...model.metadata,
      scaling: { ...model.metadata.scaling, scale: new Array<number>(inputs).fill(0) },
    };
    expect(() => encodeModel({ ...model, metadata: noSpread })).toThrow('scale');
  });
});

it('is refused with a hundred megabytes behind it, unread', () => {
  const behind = Buffer.concat([encodeModel(model), Buffer.alloc(100 * 1024 * 1024)]);
  expect(refusal(behind)).toMatch('bytes');
});
