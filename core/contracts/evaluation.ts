import { z } from 'zod';
import { settingsChangeSchema } from './control';
import { versionIdSchema } from './ids';
import { liveCheckSettingsSchema, rollbackInputSchema } from './live-checks';
import { federatedRoundInputSchema } from './rounds';
import { durationTextSchema, positiveDurationTextSchema } from './settings';

/** Input of `continuousEvaluation`: how the champion is watched between rounds. */
export const continuousEvaluationInputSchema = z.strictObject({
  /** How often live accuracy is checked. */
  checkEvery: positiveDurationTextSchema.default('1m'),
  /** Settings of a check. */
  check: liveCheckSettingsSchema.prefault({}),
  /** A champion that falls behind its predecessor or persistence: roll it back, or only report it. */
  rollback: z.enum(['automatic', 'off']).default('automatic'),
  /** Drift of the champion's live errors: start a round, or only report it. */
  onDrift: z.enum(['round', 'off']).default('round'),
  /**
   * While no trained version serves: start a round, which waits until the fleet has windows enough, or leave that to people. Off in an evaluation
   * that an earlier release has started; workers start new ones with `auto` (workers/evaluation-lease.ts).
   */
  firstRound: z.enum(['auto', 'off']).default('off'),
  /** Rounds on drift, and first rounds, begin at least so far apart: a version needs live windows before it can be judged. */
  driftPause: durationTextSchema.default('30m'),
  /**
   * Windows since the newest version's readings after which the champion is refitted to the freshest ones, between rounds; `off` leaves it as it is. Workers start
   * new evaluations with a number, like `firstRound`; where `round` switches the part `refit` off, there is none between rounds either.
   */
  refitEveryWindows: z.union([z.literal('off'), z.int().min(1).max(10_000)]).default('off'),
  /** Input of those rounds, and of refits. */
  round: federatedRoundInputSchema.prefault({}),
});
export type ContinuousEvaluationInput = z.infer<typeof continuousEvaluationInputSchema>;

/** Input of its update `rollback`; without `version`, the champion that the last check saw, and while checks are paused what serves. */
export const requestedRollbackSchema = rollbackInputSchema.extend({
  reason: rollbackInputSchema.shape.reason.default('asked for by hand'),
  by: rollbackInputSchema.shape.by.default('somebody'),
});

/** Signal `join`: a stream worker is there and can acquire a lease. Its task queue carries its name. */
export const joinSchema = z.strictObject({
  worker: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/, 'a worker’s name has 1 to 100 of a-z, 0-9, - and .'),
});
export type Join = z.infer<typeof joinSchema>;

/** Input of the activity `evaluateStream`. */
export interface LeaseInput {
  readonly leaseMillis: number;
}

/** Where a stream worker stands; heartbeats of its lease carry it. */
export const leaseReportSchema = z.object({
  partitions: z
    .array(
      z.object({
        partition: z.int(),
        /** Next source offset to read. */
        offset: z.int(),
        lag: z.int(),
        /** Its log is another one than was read, so nothing of it is. */
        isReplaced: z.boolean().optional(),
      }),
    )
    .readonly(),
});
export type LeaseReport = Readonly<z.infer<typeof leaseReportSchema>>;

/** Answer of a stream worker's `/status`: also the topic that it reads, by the deployment's name. */
export const streamStatusSchema = leaseReportSchema.extend({ topic: z.string() });
export type StreamStatus = Readonly<z.infer<typeof streamStatusSchema>>;

/** How a lease ended: it can be renewed, or the worker leaves. */
export interface LeaseResult extends LeaseReport {
  readonly ended: 'run out' | 'worker leaves';
}

const share = z.number().min(0).max(1).nullable();

/** The evaluation's state; it goes along when the workflow continues as new. */
export const evaluationStateSchema = z.strictObject({
  /** Stream workers that have a lease. */
  workers: z.array(joinSchema.shape.worker).readonly(),
  champion: versionIdSchema.nullable(),
  /** Real accuracy of the champion, of its predecessor and of persistence on the windows of the last check. */
  accuracy: share,
  predecessorAccuracy: share,
  persistenceAccuracy: share,
  checks: z.int().min(0),
  rollbacks: z.int().min(0),
  roundsAskedFor: z.int().min(0),
  /** What happened, the latest last. */
  news: z.array(z.strictObject({ at: z.string(), what: z.string() }).readonly()).readonly(),
  /** Start of the last window that a check has dealt with, in microseconds since 1970. */
  dealtWith: z.int().nullable(),
  /** When drift last asked for a round, in milliseconds since 1970. */
  roundAskedAt: z.number().nullable(),
  /** When a first round was last started, in milliseconds since 1970; absent in states of earlier releases. */
  firstRoundAt: z.number().nullable().optional(),
  /** Whether a trained version has served: then there is no first round any more. */
  hasTrained: z.boolean().optional(),
  /** Start of the last window when a refit was last asked for, in microseconds since 1970; absent in states of earlier releases. */
  refitAskedAt: z.int().nullable().optional(),
  /** Whether a refit has begun, and its end was not seen: drift asks for a round that waits for it. */
  refitRuns: z.boolean().optional(),
  /** Why it is paused; absent in states of earlier releases. */
  paused: z.string().nullable().optional(),
  /** The latest changes of settings; absent in states of earlier releases. */
  changes: z.array(settingsChangeSchema).readonly().optional(),
});
export type EvaluationState = Readonly<z.infer<typeof evaluationStateSchema>>;

/** Answer to the query `progress`. */
export interface EvaluationProgress extends Omit<EvaluationState, 'changes'> {
  readonly paused: string | null;
}
