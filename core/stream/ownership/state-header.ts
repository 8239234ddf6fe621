import { z } from 'zod';
import { versionIdSchema } from '../../contracts/ids';
import { microsSchema } from '../../contracts/time';
import { anomalyRuleSchema } from '../../contracts/anomalies';
import { savedTailSchema } from '../anomalies/tail';
import { savedVersionAnomaliesSchema } from '../anomalies/version-anomalies';
import { COUNTS, zeroCounts } from '../windows/counts';
import { savedErrorsSchema } from '../forecasts/confidence';
import { adaptersSchema, sharesSchema } from './adapter-tables';

/** What a checkpoint's state begins with, in JSON; its tables follow (state-codec.ts). */

/** Raised when the layout changes. A checkpoint of another layout is passed over, and recovery reads further back. */
export const LAYOUT = 1;

const count = z.int().min(0);

/** An event by its bytes, as base64. `record` null = the event's own timestamp counts. */
const heldSchema = z.object({
  offset: count,
  record: microsSchema.nullable(),
  device: z.string(),
  micros: microsSchema,
  bytes: z.string(),
});
export type HeldInState = z.infer<typeof heldSchema>;
const aheadSchema = z.object({
  /** `since` null = from before the first event in a window. */
  aside: z.array(heldSchema.extend({ since: microsSchema.nullable() })),
  placed: z.array(heldSchema.extend({ position: count })),
  settled: z.array(count),
});

export const headerSchema = z.object({
  layout: z.literal(LAYOUT),
  position: z.object({
    /** Source offset to read next. */
    next: count,
    /** Source offset to read again from, to rebuild the open windows. */
    rewind: count,
    /** Decisions logged before this offset of `stream-checkpoints` are in the state. */
    decisions_until: count,
  }),
  /** The settings that the state was made with; under others it means nothing. */
  settings: z.string(),
  /** A count that an earlier release did not have begins at 0. */
  counts: z.partialRecord(z.enum(COUNTS), count).transform((counts) => ({ ...zeroCounts(), ...counts })),
  /** null = none yet. */
  latest_event: microsSchema.nullable(),
  /** What the largest event time goes back on; left out before clocks were compared. */
  clock: z
    .object({
      second: microsSchema.nullable(),
      leader: z.string().nullable(),
      contradicted: z.boolean(),
    })
    .default({ second: null, leader: null, contradicted: false }),
  ahead: aheadSchema.default({ aside: [], placed: [], settled: [] }),
  /** null = the beginning is over. */
  opening: z
    .object({ device: z.string().nullable(), witness: z.string().nullable() })
    .nullable()
    .default(null),
  closed_until: microsSchema.nullable(),
  opened: z.boolean(),
  /** Left out where the watermark was never set back. */
  resets: z.array(z.object({ offset: count, late_before: microsSchema.nullable() })).default([]),
  versions: z.array(
    z.object({
      version: versionIdSchema,
      residual_stddev: z.number().nullable(),
      errors_from: z.literal('predecessor').optional(),
      /** null = from the first window on. */
      from: microsSchema.nullable(),
      /** null = in force. */
      until: microsSchema.nullable(),
      errors: savedErrorsSchema,
      /** Left out for a version without adapters. */
      adapters: adaptersSchema.optional(),
      /** Left out for a version of an earlier release. */
      anomalies: savedVersionAnomaliesSchema.extend(anomalyRuleSchema.shape).optional(),
    }),
  ),
  /** What is usual in the partition; the devices' numbers follow in the body. Left out before a version needed it. */
  detector: z.object({ scatter: savedTailSchema }).optional(),
  /** Devices with a history, in order; `numbersOfDevice` numbers each follow in the body. */
  devices: z.array(z.string()),
  /** Forecasts whose window is still open; `devices` are indexes into the devices above. Their tables follow in the body. */
  outstanding: z
    .object({
      window: microsSchema,
      devices: z.array(count),
      versions: z.array(versionIdSchema),
      shares: sharesSchema.optional(),
      /** By version; null for one of an earlier release, left out where all are. */
      band_limits: z.array(z.number().nullable()).optional(),
    })
    .nullable(),
});
export type Header = z.infer<typeof headerSchema>;
export type CheckpointPosition = Header['position'];
