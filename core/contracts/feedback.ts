import { z } from 'zod';
import { ANOMALY_KINDS } from './anomalies';
import { microsSchema } from './time';
import { versionIdSchema } from './ids';
import { storedDeviceIdSchema } from './storable';

const shareSchema = z.number().min(0).max(1);
const accuracyOf = z.object({ n: z.int(), n_correct: z.int(), accuracy: shareSchema.nullable() });

/** Devices that a message may name as the worst: it goes through a round's history, where nothing may grow without end. */
export const MAX_WORST_DEVICES = 100;

export const TENDENCIES = [
  'overpredicts anomalies, underpredicts normal',
  'underpredicts anomalies, overpredicts normal',
  'balanced',
  'unknown',
] as const;

/** `none`: nobody knows of any of the device-windows. */
export const ANOMALY_TRUTHS = ['labels', 'labels or Grubbs', 'none'] as const;
export type AnomalyTruth = (typeof ANOMALY_TRUTHS)[number];

const kindCounts = z.object({ predicted: z.int(), true_positive: z.int(), false_positive: z.int() });

/** Real accuracy and error patterns of one version over closed windows, counted from rows. */
export const feedbackSchema = z.object({
  type: z.literal('feedback'),
  /** `window`: after each closed window. `round`: the verdict of a round over all of its windows. */
  scope: z.enum(['window', 'round']),
  round: z.int().nullable(),
  model_version: versionIdSchema,
  window_start: microsSchema,
  window_end: microsSchema,
  n: z.int(),
  n_correct: z.int(),
  accuracy: shareSchema,
  /** 1 − MAE / MAE of persistence. */
  skill: z.number().nullable(),
  mae: z.number(),
  rmse: z.number(),
  /** Mean of prediction − actual, in the target's unit. */
  bias: z.number(),
  /** Expected calibration error over ten equal bins of confidence. */
  calibration: z.number(),
  persistence_accuracy: shareSchema,
  tolerance: z.number(),
  by_regime: z.object({
    normal: accuracyOf,
    anomalous: accuracyOf,
    rising: accuracyOf,
    falling: accuracyOf,
    steady: accuracyOf,
  }),
  anomalies: z.object({
    true_positive: z.int(),
    false_positive: z.int(),
    false_negative: z.int(),
    true_negative: z.int(),
    tendency: z.enum(TENDENCIES),
    /** What the counts rest on. Left out by earlier releases, whose counts rest on labels, and on Grubbs' test where there are none. */
    truth: z.enum(ANOMALY_TRUTHS).optional(),
    /** Predicted anomalies by what they look like, those of which nobody knows included. Left out by earlier releases. */
    by_kind: z.partialRecord(z.enum(ANOMALY_KINDS), kindCounts).optional(),
  }),
  worst_devices: z
    .array(
      z.object({
        device_id: storedDeviceIdSchema,
        n: z.int(),
        accuracy: shareSchema,
        mae: z.number(),
        bias: z.number(),
      }),
    )
    .max(MAX_WORST_DEVICES),
});
export type Feedback = z.infer<typeof feedbackSchema>;

/** Per-device accuracy of a version over the windows of a round, at most 1,000 devices a message. */
export const deviceFeedbackSchema = z.object({
  type: z.literal('device-feedback'),
  round: z.int(),
  model_version: versionIdSchema,
  chunk: z.int(),
  last: z.boolean(),
  device_id: z.array(z.string()),
  n: z.array(z.int()),
  n_correct: z.array(z.int()),
  mae: z.array(z.number()),
  bias: z.array(z.number()),
});
export type DeviceFeedback = z.infer<typeof deviceFeedbackSchema>;

/** A version was taken out of service for its live accuracy, or by a person. */
export const rollbackFeedbackSchema = z.object({
  type: z.literal('rollback'),
  model_version: versionIdSchema,
  /** The version that serves instead; null when the log does not show it. */
  champion: versionIdSchema.nullable(),
  reason: z.string(),
  by: z.string(),
  at: z.iso.datetime(),
});
export type RollbackFeedback = z.infer<typeof rollbackFeedbackSchema>;

export const feedbackMessageSchema = z.discriminatedUnion('type', [
  feedbackSchema,
  deviceFeedbackSchema,
  rollbackFeedbackSchema,
]);
export type FeedbackMessage = z.infer<typeof feedbackMessageSchema>;
