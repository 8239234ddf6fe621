import { z } from 'zod';
import { type ContributionMessage } from './contribution';
import { microsSchema } from './time';
import { roundKey, siteKey, siteNameSchema, versionIdSchema } from './ids';
import { MAX_ROUND_WINDOWS } from './rounds';
import { type SiteReport } from './site-reports';
import {
  columnsFit,
  integerSchema,
  isMeasure,
  measureSchema,
  nameSchema,
  storedDeviceIdSchema,
} from './storable';

/**
 * Messages of `model-updates`, each known by its key (`updateKey`). Binary ones (`update`, `candidate`) are framed as
 * `uint32 LE length of the JSON header | JSON header | Float32 LE weights`, see core/platform/frames.ts.
 */
type UpdateMessage =
  | SelectionMessage
  | UpdateHeader
  | ScoreMessage
  | CandidateHeader
  | OutcomeMessage
  | LeftOutMessage
  | ContributionMessage;
type UpdateKind = (SiteReport | UpdateMessage)['type'];

/** Key of a message in `model-updates`: `<kind>/<round>/…`. The kind decides how the value is read. */
export function updateKey(kind: UpdateKind, round: number, ...parts: readonly (string | number)[]): string {
  return [kind, round, ...parts].join('/');
}

/** Why a device's update, or a site's sums, took no part; the set is closed so that it can be a metric's label. */
export const LEFT_OUT_REASONS = [
  'unreadable',
  'silent',
  'too-few-rows',
  'constant-data',
  'not-finite',
  'wrong-shape',
  'not-selected',
  'wrong-round',
  'sent-twice',
  'impossible-claim',
  'impossible-sums',
  'unlike-other-sites',
  'worse-than-median',
  'not-chosen',
] as const;
export const leftOutReasonSchema = z.enum(LEFT_OUT_REASONS);
export type LeftOutReason = z.infer<typeof leftOutReasonSchema>;
/** Left-out updates, counted by reason. */
export type ReasonCounts = Readonly<Partial<Record<LeftOutReason, number>>>;

export function countReasons(leftOut: readonly { readonly reason: LeftOutReason }[]): ReasonCounts {
  return addReasons(leftOut.map(({ reason }) => ({ [reason]: 1 })));
}

/** The sum of several counts. */
export function addReasons(parts: readonly ReasonCounts[]): ReasonCounts {
  const sum: Partial<Record<LeftOutReason, number>> = {};
  for (const part of parts)
    for (const reason of LEFT_OUT_REASONS) {
      const count = part[reason];
      if (count !== undefined) sum[reason] = (sum[reason] ?? 0) + count;
    }
  return sum;
}

/** The devices that a site chose, sent before it trains them: an update of any other device does not count. */
export const selectionMessageSchema = z.object({
  type: z.literal('selection'),
  ...siteKey,
  device_id: z.array(z.string()),
});
export type SelectionMessage = z.infer<typeof selectionMessageSchema>;

/** JSON writes a number that is not finite as null: its device is left out, as is one with a claim beyond measure, and the chunk is read. */
const claimSchema = z
  .custom<number | null>((value) => typeof value === 'number' || value === null, 'must be a number')
  .transform((value) => (isMeasure(value) ? value : Number.NaN));

/** Header of a chunk of local updates: device i's delta is row i of the frame's weights, `parameters` numbers long. */
export const updateHeaderSchema = z.object({
  type: z.literal('update'),
  ...siteKey,
  chunk: z.int().min(0),
  base_version: versionIdSchema,
  parameters: integerSchema.min(1),
  devices: z.array(
    z.object({
      device_id: storedDeviceIdSchema,
      /** Training rows (targets) of the device. */
      rows: integerSchema,
      /** The local model's own claims, on its training rows. */
      self_reported_accuracy: claimSchema,
      self_reported_loss: claimSchema,
      /** Loss of the incoming global model on the same rows (q-FFL needs it). */
      base_loss: claimSchema,
    }),
  ),
  /** Devices of this chunk that sent no update, and why. */
  left_out: z.array(z.object({ device_id: storedDeviceIdSchema, reason: leftOutReasonSchema })),
});
export type UpdateHeader = z.infer<typeof updateHeaderSchema>;

/**
 * Real accuracy of local models, counted by one site on its panel devices: over the last 6 and the last 24 closed windows.
 * Counts of several sites add up.
 */
export const scoreMessageSchema = z.object({
  type: z.literal('score'),
  ...siteKey,
  /** Which update chunk of which site was scored. */
  scored_site: siteNameSchema,
  scored_chunk: z.int().min(0),
  rows_recent: z.int().min(0),
  rows_long: z.int().min(0),
  device_id: z.array(z.string()),
  correct_recent: z.array(z.int().min(0)),
  correct_long: z.array(z.int().min(0)),
});
export type ScoreMessage = z.infer<typeof scoreMessageSchema>;

/** A candidate on its way through refit and acceptance: flat weights in the frame. `step` numbers the proposals of a round. */
export const candidateHeaderSchema = z.object({
  type: z.literal('candidate'),
  ...roundKey,
  name: nameSchema,
  parameters: integerSchema.min(1),
  /** Of a refit: the share (0 to 1) of its full step that it takes; null for what the strategy made. */
  refit_share: z.number().min(0).max(1).nullable(),
});
export type CandidateHeader = z.infer<typeof candidateHeaderSchema>;

/**
 * The outcome of each device of a round: written by the aggregator, stored in `local_models`. A device with a good update and a bad one
 * stands here with the good one.
 */
export const outcomeMessageSchema = z
  .object({
    type: z.literal('outcome'),
    ...roundKey,
    /** What was made of them; null when the round failed for too few. */
    version: versionIdSchema.nullable(),
    device_id: z.array(storedDeviceIdSchema),
    site: z.array(siteNameSchema),
    rows: z.array(integerSchema),
    self_reported_accuracy: z.array(measureSchema.nullable()),
    /** On panels of devices that did not train; null where nothing could be scored. */
    real_accuracy: z.array(measureSchema.nullable()),
    weight: z.array(measureSchema),
    left_out: z.array(leftOutReasonSchema.nullable()),
  })
  .check(columnsFit);
export type OutcomeMessage = z.infer<typeof outcomeMessageSchema>;

/** Every update that did not pass the checks, `copies` of each kind: written by the aggregator, stored in `left_out_updates`. */
export const leftOutMessageSchema = z
  .object({
    type: z.literal('left-out'),
    ...roundKey,
    device_id: z.array(storedDeviceIdSchema),
    site: z.array(siteNameSchema),
    reason: z.array(leftOutReasonSchema),
    copies: z.array(integerSchema.min(1)),
  })
  .check(columnsFit)
  .refine(({ device_id, site, reason }) => {
    const kinds = device_id.map((id, row) => JSON.stringify([id, site[row], reason[row]]));
    return new Set(kinds).size === kinds.length;
  }, 'must have each kind of a device once');
export type LeftOutMessage = z.infer<typeof leftOutMessageSchema>;

/** A round's request to a simulated fleet: send until `windows` windows that start at or after `from_window` were scored. */
export const windowRequestSchema = z.object({
  type: z.literal('window-request'),
  id: nameSchema,
  windows: z.int().min(1).max(MAX_ROUND_WINDOWS),
  /** First window that counts; null when the stream has not begun. */
  from_window: microsSchema.nullable(),
});
export type WindowRequest = z.infer<typeof windowRequestSchema>;
