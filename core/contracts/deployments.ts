import { z } from 'zod';
import { decisionSchema, findingSchema } from './decisions';
import { microsSchema } from './time';
import { roundNumberSchema, versionIdSchema } from './ids';
import { privacyBookingSchema } from './privacy';
import { serverStateTextSchema } from './server-state';
import { loggedSettingsSchema } from './settings';
import { integerSchema, nameSchema, textSchema } from './storable';
import { timestampTextSchema } from './timestamps';

/**
 * Stage of a version. `candidate`, `champion` and `shadow` are in force: stream workers evaluate them side by side.
 * `shadow` is the champion's predecessor, kept beside it so that a rollback has figures to go by.
 */
export const stageSchema = z.enum(['candidate', 'champion', 'shadow', 'retired', 'rejected', 'rolled-back']);
export type Stage = z.infer<typeof stageSchema>;

export function isInForce(stage: Stage): boolean {
  return stage === 'candidate' || stage === 'champion' || stage === 'shadow';
}

/** Networks that a round makes, and the fleet's linear model beside them. */
export const networkRoleSchema = z.enum(['steady', 'responsive']);
export type NetworkRole = z.infer<typeof networkRoleSchema>;
export const candidateRoleSchema = z.enum([...networkRoleSchema.options, 'linear']);
export type CandidateRole = z.infer<typeof candidateRoleSchema>;

/** What was done because of feedback, in words and numbers. */
export const feedbackUsedSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()]),
);

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** Versions that one was made of: the champion, and what a strategy adds. */
const MAX_PARENTS = 64;

export const lineageSchema = z.object({
  round: z.union([z.literal(0), roundNumberSchema]),
  parents: z.array(versionIdSchema).max(MAX_PARENTS),
  strategy: nameSchema,
  role: candidateRoleSchema.nullable(),
  /** Of a linear version: the network of its round that was elected beside it, which the next round trains from. */
  network: networkRoleSchema.nullable().default(null),
  seed: z.int(),
  /** Devices whose updates went in. */
  devices: integerSchema,
  /** SHA-256 of their ids in order, one a line: the devices in `local_models` can be checked by it. */
  devices_sha256: sha256Schema.nullable().default(null),
  /** Event time of the training data: from the first lag to `trainUntil`. */
  data_from: microsSchema.nullable(),
  data_until: microsSchema.nullable(),
  feedback_used: feedbackUsedSchema,
  /** The try at the round that made it, and the try at its training: what `local_models` has its local models under. */
  attempt: nameSchema.nullable().default(null),
  training: nameSchema.nullable().default(null),
  /** Whether devices correct its forecasts as they are served; earlier releases had none that do. */
  adapters: z.boolean().default(false),
  /** Whether it predicts anomalies by bands and devices' pasts; versions of earlier releases do by a margin around their forecasts. */
  anomalies: z.boolean().default(false),
});
export type Lineage = z.infer<typeof lineageSchema>;

/** Of a version that nobody has trained: untrained weights, drawn with a seed. */
export function untrainedLineage(seed: number): Lineage {
  return {
    round: 0,
    parents: [],
    strategy: 'none',
    role: null,
    network: null,
    seed,
    devices: 0,
    devices_sha256: null,
    data_from: null,
    data_until: null,
    feedback_used: {},
    attempt: null,
    training: null,
    adapters: false,
    anomalies: true,
  };
}

/** The product's model has 8 KB. A file of a megabyte no longer fits a message of a default broker. */
export const MAX_MODEL_BYTES = 1024 * 1024;

/** Bytes of a message of `model-deployments`: a model in base64 with its lineage. A longer one is not even parsed. */
export const MAX_DEPLOYMENT_BYTES = 2 * MAX_MODEL_BYTES;

/** Key `model/<version>`. */
export const modelMessageSchema = z.object({
  type: z.literal('model'),
  version: versionIdSchema,
  onnx_base64: z.base64().max(Math.ceil(MAX_MODEL_BYTES / 3) * 4),
  sha256: sha256Schema,
  lineage: lineageSchema,
  created_at: timestampTextSchema,
});
export type ModelMessage = z.infer<typeof modelMessageSchema>;

/** Key `stage/<version>`: the latest one holds. */
export const stageMessageSchema = z.object({
  type: z.literal('stage'),
  version: versionIdSchema,
  stage: stageSchema,
  round: z.union([z.literal(0), roundNumberSchema]),
  /** Event time before which the version scores nothing, whatever a worker has read; null = no such bound. */
  not_before: microsSchema.nullable(),
  reason: textSchema,
  /** Fedloop itself, or the name of the person who changed it. */
  by: nameSchema.default('fedloop'),
  at: timestampTextSchema,
});
export type StageMessage = z.infer<typeof stageMessageSchema>;

/** Key `settings`: what every process of the deployment must agree on. */
const settingsMessageSchema = z.object({ type: z.literal('settings'), settings: loggedSettingsSchema });

/**
 * Key `server-state/pending` while a round is open, `server-state/current` once it was decided: what a strategy remembers from
 * round to round (core/federation/strategies/server-state.ts writes and reads the text).
 */
export const serverStateMessageSchema = z.object({
  type: z.literal('server-state'),
  kind: z.enum(['pending', 'current']),
  round: roundNumberSchema,
  state: serverStateTextSchema,
  /** Of `current`: the try at the round that was decided, and how; absent in logs of earlier releases. */
  decided: z
    .object({
      attempt: nameSchema,
      decision: decisionSchema,
      finding: findingSchema.nullish(),
      reason: textSchema,
    })
    .optional(),
});
export type ServerStateMessage = z.infer<typeof serverStateMessageSchema>;

export const deploymentMessageSchema = z.discriminatedUnion('type', [
  modelMessageSchema,
  stageMessageSchema,
  settingsMessageSchema,
  serverStateMessageSchema,
  privacyBookingSchema,
]);
export type DeploymentMessage = z.infer<typeof deploymentMessageSchema>;

export const SETTINGS_KEY = 'settings';

/** Key of a message in `model-deployments`: the topic is compacted, so the latest of each key is what holds. */
export function deploymentKey(message: DeploymentMessage): string {
  if ('version' in message) return `${message.type}/${message.version}`;
  if (message.type === 'privacy-booking') return `${message.type}/${message.draw}`;
  return message.type === 'settings' ? SETTINGS_KEY : `server-state/${message.kind}`;
}
