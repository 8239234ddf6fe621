import { z } from 'zod';
import { anomalyRuleSchema } from './anomalies';
import { logIdSchema } from './log-ids';
import { versionIdSchema, type VersionId } from './ids';
import { integerSchema, nameSchema } from './storable';
import { type Micros, microsSchema } from './time';

/** Within so long an owner writes how far it has read, however much state a checkpoint has: others know by then whether a quiet partition is read. */
export const MAX_CHECKPOINT_INTERVAL_MS = 60_000;

/**
 * `stream-checkpoints`: who owns a partition of the stream, what was decided there, and from where to recover. Values are
 * JSON, but for pieces of state (below); the partition of the topic is the source partition.
 *
 * The offset of a claim in this log is the claim's epoch. A message with an epoch lower than that of some claim before it
 * in the log was written by a worker that had lost the partition, and is void. Keys carry the epoch, so that compaction
 * can never let a void message replace a valid one.
 */
export const claimSchema = z.object({
  type: z.literal('claim'),
  partition: integerSchema,
  /** Unique to the process, so that a worker knows its own claims. */
  worker: nameSchema,
  /** Which log of the topic of events was read by then; left out where the broker tells no ids, and by earlier releases. */
  log: logIdSchema.optional(),
});

/** What `fedloop stream reset-watermark` asks the owner for. The owner answers with a `watermark` decision that has the same `request`. */
export const resetRequestSchema = z.object({
  type: z.literal('reset-request'),
  partition: integerSchema,
  request: nameSchema.min(1),
  /** Largest event time that the partition is to have seen. */
  to: microsSchema,
  /** End of the last window that was closed when it was asked; null = none was. An owner that is further refuses. */
  closed_until: microsSchema.nullable(),
});
export type ResetRequest = z.infer<typeof resetRequestSchema>;

const decision = { partition: integerSchema, epoch: z.int().min(0) };

/** `ridge`: core/stream/adapters. Another rule gets another name, so that rows are replayed by the rule that made them. */
export const adapterRuleSchema = z.literal('ridge');
export type AdapterRule = z.infer<typeof adapterRuleSchema>;

/** From which window on the partition scores a version; logged before any row under it. */
export const activationSchema = z.object({
  type: z.literal('activation'),
  ...decision,
  version: versionIdSchema,
  /** null = the first window that the partition closes. */
  from_window: microsSchema.nullable(),
  /** Held-out residuals of the model, in the target's unit, as known then. */
  residual_stddev: z.number().nullable(),
  /**
   * What its confidence begins with: the errors of the trained version before it. Left out by earlier releases, whose versions began with their residuals
   * alone.
   */
  errors_from: z.literal('predecessor').optional(),
  /** By what rule devices correct its forecasts as they are served. Left out where they do not, and by earlier releases. */
  adapters: adapterRuleSchema.optional(),
  /** By what rule it predicts anomalies. Left out by earlier releases, whose versions do by a margin around their forecasts. */
  anomalies: anomalyRuleSchema.optional(),
});

export const deactivationSchema = z.object({
  type: z.literal('deactivation'),
  ...decision,
  version: versionIdSchema,
  /** First window without it; null = it was never scored. */
  until_window: microsSchema.nullable(),
});

/** Events that the topic let go before the partition's owner had read them: from one offset up to another, which is not one of them. */
export const gapSchema = z.object({
  type: z.literal('gap'),
  ...decision,
  from: z.int().min(0),
  until: z.int().min(1),
});

const decisionSchema = z.discriminatedUnion('type', [
  /**
   * Where the fleet is to read the partition from; logged before it is read. A partition without it was read from offset 0 on. It depends on
   * when it was decided, so it is never decided again.
   */
  z.object({
    type: z.literal('start'),
    ...decision,
    offset: z.int().min(0),
    /** Where each partition of the topic ended then, so that one that is taken over later, or added, begins at the same moment. */
    ends: z.array(z.int().min(0)).readonly(),
    /** Where each of them began then: what went before the fleet did is no loss of its. Left out by earlier releases. */
    begins: z.array(z.int().min(0)).readonly().optional(),
  }),
  /** With which past the devices of the partition began; logged before the first event is read. */
  z.object({
    type: z.literal('history'),
    ...decision,
    /** `snapshot` of the chunks in `device-history`; null = there was none. */
    snapshot: nameSchema.nullable(),
  }),
  activationSchema,
  deactivationSchema,
  gapSchema,
  /** The partition had been quiet for the idle time-out: every window up to the largest event time seen was closed. */
  z.object({
    type: z.literal('idle'),
    ...decision,
    /** The next source offset to read when it was decided. */
    offset: z.int().min(0),
    /**
     * Events that wait for other devices to confirm their time count when it is not after this: the owner's clock on the wall, plus the
     * future limit. Left out where nothing waited.
     */
    believed_until: microsSchema.optional(),
  }),
  /** The largest event time seen was set back by hand: windows from there on close again. */
  z.object({
    type: z.literal('watermark'),
    ...decision,
    /** The next source offset to read when it was decided. */
    offset: z.int().min(0),
    request: nameSchema.min(1),
    /** null = refused: the partition was no longer as it was asked for. */
    to: microsSchema.nullable(),
  }),
]);
export type Decision = z.infer<typeof decisionSchema>;

/** Everything but pieces of state. */
export const checkpointMessageSchema = z.discriminatedUnion('type', [
  claimSchema,
  resetRequestSchema,
  ...decisionSchema.options,
]);
export type CheckpointMessage = z.infer<typeof checkpointMessageSchema>;

/** Pieces of one state: 4 GB, far more than the devices and windows of a partition may have. */
const MAX_PIECES = 8_192;

/**
 * Head of a piece of a checkpoint; it holds when all pieces of its epoch and sequence are there. The value of such a message
 * is `uint32 LE length of the head | head as JSON | bytes of the state`: state is large, and nothing but recovery reads it.
 */
export const checkpointPieceSchema = z.object({
  type: z.literal('checkpoint'),
  ...decision,
  sequence: z.int().min(0),
  index: integerSchema,
  pieces: integerSchema.min(1).max(MAX_PIECES),
  /** Checksum of all pieces together; left out by earlier releases. */
  crc32: z.int().min(0).optional(),
});
export type CheckpointPiece = z.infer<typeof checkpointPieceSchema>;

/**
 * Keys by kind. No two decisions share one, so that compaction keeps them all: a version may come into force, leave and
 * come back under one epoch. Two checkpoints of an epoch take turns, so that one is whole while the other is being replaced.
 */
export const checkpointKeys = {
  claim: (partition: number, worker: string, attempt: number): string =>
    `claim/${partition}/${worker}/${attempt}`,
  start: (partition: number, epoch: number): string => `start/${partition}/${epoch}`,
  history: (partition: number, epoch: number): string => `history/${partition}/${epoch}`,
  activation: (partition: number, version: VersionId, epoch: number, from: Micros | null): string =>
    `activation/${partition}/${version}/${epoch}/${from ?? 'first'}`,
  deactivation: (partition: number, version: VersionId, epoch: number, until: Micros | null): string =>
    `deactivation/${partition}/${version}/${epoch}/${until ?? 'never'}`,
  gap: (partition: number, from: number, epoch: number): string => `gap/${partition}/${from}/${epoch}`,
  idle: (partition: number, offset: number, epoch: number, believed?: Micros): string =>
    `idle/${partition}/${offset}/${epoch}${believed === undefined ? '' : `/${believed}`}`,
  resetRequest: (partition: number, request: string): string => `reset-request/${partition}/${request}`,
  watermark: (partition: number, request: string, epoch: number): string =>
    `watermark/${partition}/${request}/${epoch}`,
  piece: (partition: number, epoch: number, sequence: number, index: number): string =>
    `${PIECE_PREFIX}${partition}/${epoch}/${sequence % 2}/${index}`,
} as const;

const PIECE_PREFIX = 'checkpoint/';

/** Whether the value of a message with this key is a piece of state. */
export function isPieceKey(key: string): boolean {
  return key.startsWith(PIECE_PREFIX);
}
