import { z } from 'zod';
import { type Difference, differenceSchema } from './patch';
import { type FederatedRoundInput, type FederatedTrainingInput } from './rounds';

/**
 * Inputs of a running workflow's updates: one optional object each, as Temporal's UI sends it. `by` and `reason` are for the
 * record.
 */

const remark = z.string().max(500).optional();

export const answerInputSchema = z.strictObject({ by: remark, reason: remark });
export const pauseInputSchema = answerInputSchema;

/** Updates of a round; a run that has the round as its child sends them on. */
export const ROUND_UPDATES = ['pause', 'resume', 'approve', 'reject', 'changeSettings'] as const;
export type RoundUpdate = (typeof ROUND_UPDATES)[number];

/** Input of the activity `tellRun`. */
export interface ToldRun {
  readonly workflowId: string;
  readonly firstExecutionRunId: string;
  readonly update: RoundUpdate;
  readonly input: unknown;
}

/** What a round answers to an update. */
export type RoundAnswer = string | SettingsAnswer;

/** Settings of a round that later steps use, and that may be changed before them. */
export const ROUND_SETTINGS = [
  'minUpdates',
  'windows',
  'maxWindows',
  'windowsTimeout',
  'gate',
  'approval',
  'approvalTimeout',
  'approvalDefault',
  'roundTimeout',
] as const satisfies readonly (keyof FederatedRoundInput)[];
export type RoundSetting = (typeof ROUND_SETTINGS)[number];

export function isRoundSetting(name: string): name is RoundSetting {
  return ROUND_SETTINGS.some((known) => known === name);
}

/** Settings of a training run from its next round on. */
export const TRAINING_SETTINGS = [
  'rounds',
  'targetAccuracy',
  'plateau',
  'onFailedRound',
  'maxFailedRounds',
  'failedRoundPause',
  'round',
] as const satisfies readonly (keyof FederatedTrainingInput)[];

/** Input of the update `changeSettings`: a merge patch of the settings that may be changed, and remarks for the record. */
export function settingsPatchSchema(names: readonly string[]): z.ZodType<SettingsPatch> {
  return z.strictObject({
    ...Object.fromEntries(names.map((name) => [name, z.unknown().optional()])),
    ...remarks,
  });
}

const remarks = {
  by: remark,
  reason: remark,
  /** Validate and answer, and change nothing. */
  dryRun: z.boolean().optional(),
};
type SettingsPatch = z.infer<z.ZodObject<typeof remarks>> & Readonly<Record<string, unknown>>;

/** A change of settings that was made: the fields that differ, before and after it. */
export const settingsChangeSchema = z.strictObject({
  ...differenceSchema.shape,
  at: z.string(),
  by: z.string().nullable(),
  reason: z.string().nullable(),
});
export type SettingsChange = Readonly<z.infer<typeof settingsChangeSchema>>;

/** Answer of `changeSettings`. Both sides are empty where the settings were so already. */
export interface SettingsAnswer extends Difference {
  readonly isChanged: boolean;
}

/** Answer to the query `settings`: what is in force, and the latest changes, the last one last. */
export interface SettingsInForce {
  readonly settings: object;
  readonly changes: readonly SettingsChange[];
}
