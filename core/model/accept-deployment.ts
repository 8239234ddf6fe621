import {
  deploymentKey,
  deploymentMessageSchema,
  MAX_DEPLOYMENT_BYTES,
  type DeploymentMessage,
  type ModelMessage,
} from '../contracts/deployments';
import { FedloopError, type ErrorCode } from '../contracts/errors';
import { featureCount, type FeatureTask } from '../contracts/task';
import { parseJson, parseOrThrow } from '../contracts/validation';
import { type IncomingRecord } from '../platform/kafka';
import { decodeModel, sha256Of } from './model-file';
import { type GlobalModel } from './types';

const MAX_SHOWN_KEY = 60;

/**
 * Each round puts a model into the log, so that a round is no larger than the offset of its model. A log that was copied to other brokers begins
 * anew, and lacks the versions that were deleted: so many rounds may have been before it.
 */
const ROUNDS_ELSEWHERE = 10_000;

/** A record of `model-deployments`. */
export interface DeploymentRecord {
  readonly key: string | null;
  readonly value: Buffer;
  /** Where it stands in the log. */
  readonly offset: number;
  readonly signature?: IncomingRecord['signature'];
}

/**
 * A message of `model-deployments`. Its size and its signature are looked at before its content.
 * @throws FedloopError with `code` for one that is too large, that nobody has signed whom this process trusts, that cannot be understood, or that
 *   stands under another's key.
 */
export function readDeployment(
  { key, value, offset, signature }: DeploymentRecord,
  code: ErrorCode = 'InvalidModel',
): DeploymentMessage {
  const what = 'a message of model-deployments';
  if (value.byteLength > MAX_DEPLOYMENT_BYTES)
    throw new FedloopError(
      code,
      `${what} has ${value.byteLength} bytes, and at most ${MAX_DEPLOYMENT_BYTES} are read`,
    );
  assertSigned(key, signature, code);
  const message = parseOrThrow(deploymentMessageSchema, parseJson(value), what, code);
  // The topic is compacted by key: under another's key a message would take that one's place.
  if (key !== deploymentKey(message))
    throw new FedloopError(
      code,
      `${what} stands under the key ${String(key)}, not ${deploymentKey(message)}`,
    );
  // A round from nowhere would take all numbers from those that follow.
  if (message.type === 'model' && message.lineage.round > offset + ROUNDS_ELSEWHERE)
    throw new FedloopError(
      code,
      `${message.version} is of round ${message.lineage.round}, and only ${offset} messages stand before it`,
    );
  return message;
}

function assertSigned(key: string | null, signature: DeploymentRecord['signature'], code: ErrorCode): void {
  if (signature === undefined || signature === 'valid') return;
  const fault =
    signature === 'missing' ? 'nobody has signed it' : 'its signature is of no key that is trusted here';
  // A key is whatever its sender wrote.
  const name = JSON.stringify((key ?? '').slice(0, MAX_SHOWN_KEY));
  throw new FedloopError(code, `the message ${name} of model-deployments is refused: ${fault}`, {
    hint: 'If it is yours, set FEDLOOP_SIGNING_KEY where it is deployed and its public half in FEDLOOP_TRUSTED_KEYS here, or sign what is there with `fedloop keys sign`; else find out who can write to the topic.',
  });
}

/**
 * The model of a deployment, from its own bytes alone: the graph must be the one that its weights stand for, so it has no operator and no
 * external data but what Fedloop itself writes.
 * @throws FedloopError `InvalidModel` when the bytes have another hash or another version than the message says, or are no usable model.
 */
export function acceptModel({ version, onnx_base64, sha256 }: ModelMessage): GlobalModel {
  const bytes = Buffer.from(onnx_base64, 'base64');
  if (sha256Of(bytes) !== sha256)
    throw new FedloopError(
      'InvalidModel',
      `the bytes of ${version} do not have the hash they were deployed with`,
    );
  const model = decodeModel(bytes);
  if (model.metadata.version !== version)
    throw new FedloopError('InvalidModel', `the model deployed as ${version} is ${model.metadata.version}`);
  return model;
}

/** Whether the model forecasts from the task's features. */
export function fitsTask({ metadata }: GlobalModel, task: FeatureTask): boolean {
  return metadata.shape.inputs === featureCount(task);
}

/** @throws FedloopError `InvalidModel` for a model with other inputs than the task has features. */
export function assertFits(model: GlobalModel, task: FeatureTask): void {
  if (fitsTask(model, task)) return;
  const { version, shape } = model.metadata;
  throw new FedloopError(
    'InvalidModel',
    `${version} has ${shape.inputs} inputs, but the task has ${featureCount(task)} features`,
  );
}
