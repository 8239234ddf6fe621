import { z } from 'zod';
import { federatedRoundInputSchema, gateSettingsSchema, plateauSchema } from './rounds';
import { durationTextSchema } from './settings';

/**
 * Inputs of a running workflow's updates: one optional object each, as Temporal's UI sends it. `by` and `reason` are for the
 * record.
 */

const remark = z.string().max(500).optional();

export const pauseInputSchema = z.strictObject({ reason: remark });
export const answerInputSchema = z.strictObject({ by: remark, reason: remark });

/** Settings of a round that later steps use. */
export const roundSettingsSchema = z
  .strictObject({
    windows: federatedRoundInputSchema.shape.windows.unwrap(),
    windowsTimeout: federatedRoundInputSchema.shape.windowsTimeout.unwrap(),
    gate: gateSettingsSchema,
    minUpdates: federatedRoundInputSchema.shape.minUpdates.unwrap(),
    approval: federatedRoundInputSchema.shape.approval.unwrap(),
    approvalTimeout: durationTextSchema,
    approvalDefault: federatedRoundInputSchema.shape.approvalDefault.unwrap(),
  })
  .partial();
export type RoundSettings = z.infer<typeof roundSettingsSchema>;

/** Settings of a training run from its next round on. */
export const trainingSettingsChangeSchema = z
  .strictObject({
    rounds: z.int().min(1).max(100_000),
    targetAccuracy: z.number().gt(0).max(1).nullable(),
    plateau: plateauSchema.nullable(),
    round: federatedRoundInputSchema,
  })
  .partial();
export type TrainingSettingsChange = z.infer<typeof trainingSettingsChangeSchema>;
