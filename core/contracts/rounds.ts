import { z } from 'zod';
import { contributionResultSchema } from './contribution';
import { decisionSchema, findingSchema } from './decisions';
import { candidateRoleSchema, feedbackUsedSchema } from './deployments';
import { siteNameSchema, versionIdSchema } from './ids';
import { privacySettingsSchema } from './privacy';
import { durationMillis, durationTextSchema, positiveDurationTextSchema } from './settings';
import { NOISE_REFUSAL, roundStrategySchema, takesNoise, type RoundStrategy } from './strategies';
import { microsSchema } from './time';

/** Live windows that a round may be judged on: six weeks of hourly ones. More is a mistake, or an attack on a fleet that sends on request. */
export const MAX_ROUND_WINDOWS = 1_000;

/** Local training. Defaults are the recipe's: a fortnight of hourly windows, five passes. */
export const trainingSettingsSchema = z.strictObject({
  windows: z.int().min(8).max(100_000).default(336),
  epochs: z.int().min(1).max(1_000).default(5),
  learningRate: z.number().positive().max(10).default(0.05),
  batchSize: z.int().min(1).max(4_096).default(32),
});
export type TrainingSettings = z.infer<typeof trainingSettingsSchema>;

/** Parts of the loop; each can be switched off so that its effect can be measured. */
export const loopPartsSchema = z.strictObject({
  /** Train most on samples near the boundary between right and wrong, in a band as wide as the champion's live errors. */
  boundaryWeighting: z.boolean(),
  /** Clip every update to 1.5 × the median norm. */
  clipping: z.boolean(),
  /** Weight local models by their real accuracy on panels. */
  realWeights: z.boolean(),
  /** Refit the responsive candidate's output layer from sums over the last 6 windows. */
  refit: z.boolean(),
  /** Refit the steady candidate's output layer from sums over the last 24 windows. */
  steadyRefit: z.boolean(),
  /** Let the evidence of past rounds elect between the steady and the responsive candidate. */
  evidenceRule: z.boolean(),
  /** Fit the fleet's linear model from sums over the last windows, deploy it beside the networks, and let it serve on evidence. */
  linear: z.boolean(),
  /** Keep the champion when the responsive proposal is worse on panel C. */
  panelGate: z.boolean(),
  /** Let each device correct the version's forecasts, as they are served, by its own past errors. What the loop judges are the version's own. */
  adapters: z.boolean(),
  /** Predict anomalies by bands and devices' pasts, at the fleet's wanted rate of false alarms; else by a margin around the forecast. */
  anomalies: z.boolean(),
  /** Measure what each site and device brought, by the proposal without them. No weight, vote or candidate goes by it. */
  contribution: z.boolean(),
});
export type LoopParts = z.infer<typeof loopPartsSchema>;

/** Parts as a round's input names them; what is left out follows the strategy. */
export const partsInputSchema = loopPartsSchema.partial().extend({
  /** The old name of `boundaryWeighting`, which schedules and running workflows may still use. */
  edgeWeights: z.boolean().optional(),
});

/**
 * `closed-loop` has its parts by default except the panel gate, which stopped no candidate that the live gate would have let through
 * (docs/closed-loop.md). Every other strategy follows its paper unless a part is switched on. Contributions only measure, so they are on for all.
 */
export function partsFor(strategy: RoundStrategy, given: z.infer<typeof partsInputSchema>): LoopParts {
  const on = strategy === 'closed-loop';
  return {
    boundaryWeighting: given.boundaryWeighting ?? given.edgeWeights ?? on,
    clipping: given.clipping ?? on,
    realWeights: given.realWeights ?? on,
    refit: given.refit ?? on,
    steadyRefit: given.steadyRefit ?? on,
    evidenceRule: given.evidenceRule ?? on,
    linear: given.linear ?? on,
    panelGate: given.panelGate ?? false,
    adapters: given.adapters ?? on,
    anomalies: given.anomalies ?? true,
    contribution: given.contribution ?? true,
  };
}

/** When a candidate is promoted: paired with the champion on the same live windows. */
export const gateSettingsSchema = z.strictObject({
  /** Score (0 to 1) by which a candidate may be worse and still be promoted as "no worse", once it is shown that it is not worse by more. */
  margin: z.number().min(0).max(1).default(0.01),
  /** Probability that a candidate that is worse than the margin is promoted, however often one looks. */
  risk: z.number().gt(0).lt(0.5).default(0.2),
  /**
   * Accuracy (−1 to 1) by which a candidate may have measured worse and still be promoted; negative: by which it has to have measured better, unless it is
   * shown to be better. Without such a demand, a half of all candidates that differ in nothing take the champion's place.
   */
  measuredLoss: z.number().min(-1).max(1).default(-0.003),
  minWindows: z.int().min(1).max(MAX_ROUND_WINDOWS).default(3),
  /** Two-sided confidence of the paired interval of accuracy that is shown. */
  confidence: z.number().gt(0.5).lt(1).default(0.95),
});
export type GateSettings = z.infer<typeof gateSettingsSchema>;

const PARTICIPANTS_RULE = 'must be "all" or a whole number of at least 1';

const roundFieldsSchema = z.strictObject({
  /** How many devices train; `all` = everyone off the panels. */
  participants: z
    .union([z.literal('all'), z.int(PARTICIPANTS_RULE).min(1, PARTICIPANTS_RULE)], PARTICIPANTS_RULE)
    .default('all'),
  strategy: roundStrategySchema.default('closed-loop'),
  /** Numbers of the strategy by name, such as {"eta": 0.1}; the strategy refuses unknown names. */
  strategySettings: z.record(z.string(), z.number()).default({}),
  parts: partsInputSchema.prefault({}),
  training: trainingSettingsSchema.prefault({}),
  gate: gateSettingsSchema.prefault({}),
  privacy: privacySettingsSchema.optional(),
  /** Live windows after which the candidate is judged first. */
  windows: z.int().min(1).max(MAX_ROUND_WINDOWS).default(6),
  /** While they show nothing it is judged again after each further one, until there are so many; auto = twice as many. */
  maxWindows: z.union([z.literal('auto'), z.int().min(1).max(MAX_ROUND_WINDOWS)]).default('auto'),
  /** How long to wait for those windows before judging on what came; auto = as `windowsTimeoutMillis` says. */
  windowsTimeout: z.union([z.literal('auto'), positiveDurationTextSchema]).default('auto'),
  /** `manual`: a person is asked before a candidate that the gate lets through is promoted. */
  approval: z.enum(['automatic', 'manual']).default('automatic'),
  /** How long to wait for that person, and the answer when none has come by then. */
  approvalTimeout: positiveDurationTextSchema.default('24h'),
  approvalDefault: z.enum(['approve', 'reject']).default('reject'),
  /** Fewer good updates than this fail the round; the champion stays. */
  minUpdates: z.int().min(1).default(2),
  /** While another round has the round lock: wait for it, or fail at once. */
  ifBusy: z.enum(['wait', 'refuse']).default('wait'),
  /** Before the fleet has windows enough for a round: fail at once with what is missing, or wait for it with the lock. */
  ifTooEarly: z.enum(['refuse', 'wait']).default('refuse'),
  /** How long a step waits for a worker before the round fails: a worker that is there takes it at once. */
  workerTimeout: positiveDurationTextSchema.default('5m'),
  /**
   * How long a round may work, the wait for the fleet's first windows too, and how long it may wait for the round lock: then it fails, and the
   * champion stays. Pauses, live windows and a person's answer have limits of their own and do not count. A season, because a fleet with
   * windows of a day needs a month before its first round.
   */
  roundTimeout: positiveDurationTextSchema.default('90d'),
  sites: z
    .array(siteNameSchema)
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'each site once')
    .default(() => [siteNameSchema.parse('main')]),
  /** Decides selection, panels, shuffles and v0's weights. */
  seed: z.int().min(0).max(0x7fffffff).default(1),
});

/** The most live windows that a round's candidate is judged on. */
export function mostWindows({
  windows,
  maxWindows,
}: Pick<FederatedRoundInput, 'windows' | 'maxWindows'>): number {
  return maxWindows === 'auto' ? Math.min(2 * windows, MAX_ROUND_WINDOWS) : maxWindows;
}

/** A round's input. Noise on a strategy that does not take it is refused before anything is trained. */
export const federatedRoundInputSchema = roundFieldsSchema
  .refine(({ privacy, strategy }) => privacy === undefined || takesNoise(strategy), {
    path: ['privacy'],
    error: NOISE_REFUSAL,
  })
  .refine(({ windows, maxWindows }) => maxWindows === 'auto' || maxWindows >= windows, {
    path: ['maxWindows'],
    error: 'must be at least "windows"',
  });
export type FederatedRoundInput = z.infer<typeof federatedRoundInputSchema>;

const HOUR_MILLIS = 3_600_000;

/**
 * Milliseconds to wait for a round's live windows. Where its input does not say: an hour, or twice the time that they take by the clock where
 * that is longer, as with windows of an hour.
 */
export function windowsTimeoutMillis(
  {
    windows,
    maxWindows,
    windowsTimeout,
  }: Pick<FederatedRoundInput, 'windows' | 'maxWindows' | 'windowsTimeout'>,
  {
    windowMillis = 0,
    closesAfterMillis = 0,
  }: { readonly windowMillis?: number; readonly closesAfterMillis?: number },
): number {
  if (windowsTimeout !== 'auto') return durationMillis(windowsTimeout);
  // The window that is open when the candidate is deployed does not count.
  return Math.max(
    HOUR_MILLIS,
    2 * ((mostWindows({ windows, maxWindows }) + 1) * windowMillis + closesAfterMillis),
  );
}

export const plateauSchema = z.strictObject({
  /** Rounds in a row over which gains are summed. */
  rounds: z.int().min(1).max(1_000).default(5),
  /** Gain in accuracy (0 to 1) that they must have brought together; promoted changes count, paired on the same device-windows. */
  gain: z.number().min(0).max(1).default(0.002),
});

export const federatedTrainingInputSchema = z.strictObject({
  /** At most so many rounds. */
  rounds: z.int().min(1).max(100_000).default(5),
  /** Stop once the champion's real accuracy in its round reaches this (0 to 1). */
  targetAccuracy: z.number().gt(0).max(1).optional(),
  /** Stop once a run of rounds has brought too little; left out: never. */
  plateau: plateauSchema.optional(),
  /** A round that fails: run another in its place, count it as one without gain, or stop with it. */
  onFailedRound: z.enum(['retry', 'skip', 'stop']).default('retry'),
  /** So many failed rounds in a row stop the training, whatever `onFailedRound` says. */
  maxFailedRounds: z.int().min(1).max(1_000).default(3),
  /** Wait so long after a failed round: what failed may mend itself. */
  failedRoundPause: durationTextSchema.default('1m'),
  round: federatedRoundInputSchema.prefault({}),
});
export type FederatedTrainingInput = z.infer<typeof federatedTrainingInputSchema>;

/** How a training run ended; the rounds themselves are in `federated_rounds` and in the query `progress`. */
export interface FederatedTrainingResult {
  readonly rounds: number;
  readonly stopped: 'all rounds' | 'target accuracy' | 'plateau';
  readonly champion: string | null;
  /** Real accuracy of the champion on the live windows of the last round. */
  readonly accuracy: number | null;
  /** Rounds that failed on the way; absent where none did. */
  readonly failed?: number;
}

export const batchAnalyticsInputSchema = z.strictObject({
  /** Folder of `*.csv` and `*.parquet`; the deployment's `processed/` when left out. Must lie in the analytics worker's data folder. */
  directory: z.string().min(1).optional(),
});
export type BatchAnalyticsInput = z.infer<typeof batchAnalyticsInputSchema>;

/** A mean with its interval; `null` where too little was measured. */
export const intervalSchema = z.object({ mean: z.number(), low: z.number(), high: z.number() });
export type Interval = z.infer<typeof intervalSchema>;

/** One version over the judged windows of a round, counted from rows. */
export const versionScoreSchema = z.object({
  version: versionIdSchema,
  evaluations: z.int(),
  correct: z.int(),
  accuracy: z.number(),
  accuracyCi95: z.tuple([z.number(), z.number()]),
  bias: z.number(),
  mae: z.number(),
  skill: z.number().nullable(),
  persistenceAccuracy: z.number(),
});
export type VersionScore = z.infer<typeof versionScoreSchema>;

/** Self-reported accuracy of local models beside their real accuracy on panels, over the models that have both. */
export const selfReportGapSchema = z.object({
  count: z.int(),
  selfReportedAccuracy: z.number(),
  realAccuracy: z.number(),
  /** Mean of self-reported − real: above 0, they claim too much. */
  gap: z.number(),
  /** The models that claim most beyond their real accuracy. */
  worst: z.array(
    z.object({ deviceId: z.string(), selfReportedAccuracy: z.number(), realAccuracy: z.number() }),
  ),
});
export type SelfReportGap = z.infer<typeof selfReportGapSchema>;

export const federatedRoundResultSchema = z.object({
  round: z.int(),
  version: versionIdSchema,
  champion: versionIdSchema,
  decision: decisionSchema,
  /** What the live windows showed; missing in rounds of earlier releases, null where they were not asked. */
  finding: findingSchema.nullish(),
  reason: z.string(),
  strategy: roundStrategySchema,
  role: candidateRoleSchema.nullable(),
  windows: z.object({ count: z.int(), from: microsSchema, until: microsSchema }),
  candidate: versionScoreSchema,
  previousChampion: versionScoreSchema,
  /** Candidate minus champion on the same device-windows, clustered. */
  pairedChange: intervalSchema,
  selfReportedAccuracy: z.number().nullable(),
  /** Mean real accuracy of the local models on panels. */
  localRealAccuracy: z.number().nullable(),
  selfReportGap: selfReportGapSchema.nullable().default(null),
  updates: z.object({ trained: z.int(), used: z.int(), leftOut: z.record(z.string(), z.int()) }),
  feedbackUsed: feedbackUsedSchema,
  /** What sites and devices brought; null where that part is off, missing in rounds of earlier releases. */
  contribution: contributionResultSchema.nullish(),
});
export type FederatedRoundResult = z.infer<typeof federatedRoundResultSchema>;
