import { untrainedLineage } from '../../../core/contracts/deployments';
import { FedloopError } from '../../../core/contracts/errors';
import { acceptModel } from '../../../core/model/accept-deployment';
import { modelMessage } from '../../../core/model/deployment-messages';
import { decodeModel, encodeModel } from '../../../core/model/model-file';
import { untrainedModel } from '../../support/task';

const model = untrainedModel('v1', { seed: 1 });
const bytes = Buffer.from(encodeModel(model));

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (cause) {
    return cause instanceof FedloopError ? cause.code : `not said: ${String(cause)}`;
  }
}

describe('a model that is cut off', () => {
  it('is refused as a file, wherever it is cut', () => {
    const lengths = Array.from({ length: 200 }, (_, i) => Math.floor((bytes.length * i) / 200));
    const codes = lengths.map((length) => codeOf(() => decodeModel(bytes.subarray(0, length))));
    expect(new Set([...codes, codeOf(() => decodeModel(bytes.subarray(0, -1)))])).toEqual(
      new Set(['InvalidModel']),
    );
  });

  it('is refused as a deployment, by its hash', () => {
    const message = modelMessage(model, untrainedLineage(1), '2020-01-01T00:00:00Z');
    expect(codeOf(() => acceptModel(message))).toBe('accepted');
    const cut = bytes.subarray(0, bytes.length / 2).toString('base64');
    expect(codeOf(() => acceptModel({ ...message, onnx_base64: cut }))).toBe('InvalidModel');
  });
});
