import { z } from 'zod';
import { versionIdSchema, type VersionId } from './ids';
import { gateSettingsSchema, intervalSchema } from './rounds';
import { microsSchema, type Micros } from './time';

/**
 * How the champion is compared with its predecessor and with persistence between rounds. The same windows are looked at again as
 * new ones come, so a check needs more windows and more confidence than the gate of a round, which looks once.
 */
export const liveCheckSettingsSchema = z.strictObject({
  /** The latest complete windows count; older ones are of another season. */
  windows: z.int().min(1).max(10_000).default(24),
  margin: gateSettingsSchema.shape.margin.unwrap().default(0.002),
  minWindows: gateSettingsSchema.shape.minWindows.unwrap().default(6),
  confidence: gateSettingsSchema.shape.confidence.unwrap().default(0.99),
});
export type LiveCheckSettings = z.infer<typeof liveCheckSettingsSchema>;

export const DRIFT_DETECTORS = ['adwin', 'page-hinkley'] as const;

/** A change that a detector found in the champion's errors beside those of persistence. */
export const driftAlarmSchema = z.object({
  detector: z.enum(DRIFT_DETECTORS),
  /** Window whose errors set it off. */
  window: microsSchema,
  /** `worse`: the champion errs more beside persistence than it did. */
  change: z.enum(['worse', 'better']),
});
export type DriftAlarm = z.infer<typeof driftAlarmSchema>;

export const championVerdictSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('keep'), reason: z.string() }),
  z.object({ action: z.literal('rollback'), to: versionIdSchema, reason: z.string() }),
]);
export type ChampionVerdict = z.infer<typeof championVerdictSchema>;

/** One check of the champion, as `champion_checks` stores it and the workflow receives it. */
export const championCheckSchema = z.object({
  champion: versionIdSchema,
  /** The version in shadow; null when there is none. */
  predecessor: versionIdSchema.nullable(),
  settings: liveCheckSettingsSchema,
  windows: z.object({ count: z.int(), from: microsSchema, until: microsSchema }),
  accuracy: z.number(),
  persistenceAccuracy: z.number(),
  /** On the device-windows that both forecast; null while there are none. */
  predecessorAccuracy: z.number().nullable(),
  /** Champion − predecessor, paired; null while there are no common device-windows. */
  againstPredecessor: intervalSchema.nullable(),
  againstPersistence: intervalSchema,
  verdict: championVerdictSchema,
  /** Alarms of the windows since the check before this one. */
  drift: z.array(driftAlarmSchema),
});
export type ChampionCheck = z.infer<typeof championCheckSchema>;

export interface CheckChampionInput {
  /** Defaults where left out. */
  readonly settings?: z.input<typeof liveCheckSettingsSchema>;
  /** `windows.until` of the last check that the caller has dealt with: its outcome is not reported again. */
  readonly dealtWith?: Micros | null;
  /** When a refit is due; absent where none is wanted. */
  readonly refit?: {
    /** Windows since the readings that the newest version was made of. */
    readonly everyWindows: number;
    /** Start of the last window when one was last asked for: the next is due so many windows later. */
    readonly askedAt: Micros | null;
  };
}

export type CheckChampionResult =
  /** There is no champion yet, or no complete window since its promotion. */
  | { readonly outcome: 'nothing-to-judge'; readonly champion: VersionId | null }
  /** No window has become complete since the check that the caller has dealt with. */
  | { readonly outcome: 'no-news'; readonly champion: VersionId }
  | {
      readonly outcome: 'judged';
      readonly check: ChampionCheck;
      /** Why a round should start at once: drift to the worse; null when there is no reason. */
      readonly asksForRound: string | null;
      /** How many windows old the readings are that the newest version was made of, where a refit is due. */
      readonly asksForRefit?: number;
    };

/** The name under which Fedloop itself changes the champion; people have theirs. */
export const FEDLOOP = 'fedloop';

export const rollbackInputSchema = z.strictObject({
  /** The champion to roll back; what serves when left out. Named, it is never the next champion that is rolled back. */
  version: versionIdSchema.optional(),
  /** The version that is to serve instead; the champion's predecessor when left out. */
  to: versionIdSchema.optional(),
  reason: z.string().min(1).max(500),
  by: z.string().min(1).max(100),
});
export type RollbackInput = z.infer<typeof rollbackInputSchema>;

export const promoteInputSchema = rollbackInputSchema.omit({ to: true }).required({ version: true });
export type PromoteInput = z.infer<typeof promoteInputSchema>;

/** Input of the workflow `changeChampion`, which a person starts. */
export const changeChampionInputSchema = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('promote'), ...promoteInputSchema.shape }),
  z.strictObject({
    action: z.literal('rollback'),
    ...rollbackInputSchema.shape,
    version: promoteInputSchema.shape.version,
  }),
]);
export type ChangeChampionInput = z.infer<typeof changeChampionInputSchema>;

/** The outcome of a change of champion. */
export const championChangeSchema = z.object({
  champion: versionIdSchema,
  /** The champion before; null when it is the same. */
  previous: versionIdSchema.nullable(),
  /** False when there was nothing to do: it was done before, or the version named no longer serves. */
  changed: z.boolean(),
  reason: z.string(),
});
export type ChampionChange = z.infer<typeof championChangeSchema>;
