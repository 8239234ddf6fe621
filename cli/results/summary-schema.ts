import { z } from 'zod';
import { versionIdSchema } from '../../core/contracts/ids';
import { decisionSchema, findingSchema } from '../../core/contracts/decisions';
import { federatedTrainingInputSchema } from '../../core/contracts/rounds';
import { streamSettingsSchema } from '../../core/contracts/settings';
import { fleetSettingsSchema } from '../../fleet/settings';
import { batchResultSchema } from '../../core/contracts/batch-result';

/** `runs/<id>/summary.json`, the figures of a run. All are counted from rows. */

const interval = z.tuple([z.number(), z.number()]).readonly();

/** A version's figures over one set of devices; null where nothing was measured. */
const versionFiguresSchema = z.object({
  accuracy: z.number().nullable(),
  accuracyCi95: interval.nullable(),
  /** The same of forecasts as served, with what devices had learnt; null in runs of earlier releases. */
  servedAccuracy: z.number().nullable().default(null),
  /** Change from the champion before it, on the device-windows that both forecast. */
  pairedChange: z.number().nullable(),
  pairedChangeCi95: interval.nullable(),
  bias: z.number().nullable(),
  mae: z.number().nullable(),
  skill: z.number().nullable(),
  persistenceAccuracy: z.number().nullable(),
  evaluations: z.int(),
  windows: z.int(),
});
export type VersionFigures = Readonly<z.infer<typeof versionFiguresSchema>>;

/** Device-windows by predicted and actual anomaly. */
const anomalyCountsSchema = z.object({
  /** Known to have one, by a label. */
  actual: z.int(),
  /** Of these, predicted. */
  found: z.int(),
  /** Predicted, and known to have none. */
  falseAlarms: z.int(),
  /** Known to have one or none. */
  judged: z.int(),
  /** Predicted, whatever is known. */
  predicted: z.int(),
});
export type AnomalyCounts = Readonly<z.infer<typeof anomalyCountsSchema>>;

/** The figures over all devices, and over the healthy ones. */
const bothFiguresSchema = versionFiguresSchema.extend({
  healthy: versionFiguresSchema,
  /** null in runs of earlier releases, and for versions that predict by a margin. */
  anomalies: anomalyCountsSchema.nullable().default(null),
});
export type BothFigures = Readonly<z.infer<typeof bothFiguresSchema>>;

const roundSummarySchema = bothFiguresSchema.extend({
  round: z.int(),
  version: versionIdSchema,
  championBefore: versionIdSchema,
  decision: decisionSchema,
  /** What the live windows showed; null in rounds of earlier releases. */
  finding: findingSchema.nullable(),
  reason: z.string(),
  strategy: z.string(),
  role: z.string().nullable(),
  /** Mean accuracy that the local models reported of themselves, and their mean accuracy on hold-out devices. */
  selfReportedAccuracy: z.number().nullable(),
  localRealAccuracy: z.number().nullable(),
  updates: z.object({ trained: z.int(), used: z.int() }),
  /** Figures behind the decision: over the windows of the round alone. */
  judged: z.object({
    windows: z.int(),
    evaluations: z.int(),
    accuracy: z.number(),
    championAccuracy: z.number(),
    pairedChange: z.number(),
    pairedChangeCi95: interval,
  }),
});
export type RoundSummary = Readonly<z.infer<typeof roundSummarySchema>>;

const persistenceSummarySchema = versionFiguresSchema.pick({
  accuracy: true,
  accuracyCi95: true,
  evaluations: true,
  mae: true,
});
export type PersistenceSummary = Readonly<z.infer<typeof persistenceSummarySchema>>;

/** The linear models against the networks that were elected beside them, on the device-windows that both forecast. */
const linearFiguresSchema = z.object({
  /** Rounds in which there were both. */
  rounds: z.int(),
  evaluations: z.int(),
  accuracy: z.number(),
  networkAccuracy: z.number(),
  /** Linear − network. */
  difference: z.number(),
  differenceCi95: interval,
});
export type LinearFigures = Readonly<z.infer<typeof linearFiguresSchema>>;

const linearSummarySchema = linearFiguresSchema.extend({ healthy: linearFiguresSchema.nullable() });

/** A device, and what it brought, in soft score (0 to 1). */
const deviceContributionSchema = z.object({ device: z.string(), site: z.string(), soft: z.number() });

/** What sites and devices brought to the networks of the rounds: with everybody minus without them, on devices that took no part. */
const contributionSummarySchema = z.object({
  sites: z
    .array(
      z.object({
        site: z.string(),
        rounds: z.int(),
        /** Mean over rounds, in accuracy; null where no round ran its strategy without the site. */
        accuracy: z.number().nullable(),
        accuracyCi95: interval.nullable(),
        soft: z.number().nullable(),
      }),
    )
    .readonly(),
  /** The newest round with figures of devices: those that brought most, and those that brought least, at most five each. */
  lastRound: z
    .object({
      round: z.int(),
      most: z.array(deviceContributionSchema).readonly(),
      least: z.array(deviceContributionSchema).readonly(),
      /** Devices that brought something, and those that took something away; null in runs of earlier releases. */
      above: z.int().nullable().default(null),
      below: z.int().nullable().default(null),
    })
    .nullable(),
  /** Devices below zero in each of their last three rounds, and further than chance explains: at most five, the mean of those rounds. */
  behind: z.array(deviceContributionSchema).readonly(),
  /** How many such devices there are; null in runs of earlier releases. */
  allBehind: z.int().nullable().default(null),
});
export type ContributionSummary = Readonly<z.infer<typeof contributionSummarySchema>>;

const resultsSchema = z.object({
  rounds: z.array(roundSummarySchema).readonly(),
  /** The champion that the first round was measured against; null without rounds. */
  firstVersion: bothFiguresSchema.extend({ version: versionIdSchema }).nullable(),
  champion: versionIdSchema.nullable(),
  persistence: persistenceSummarySchema.extend({ healthy: persistenceSummarySchema }),
  /** null where no round had a linear model, and in runs of earlier releases. */
  linear: linearSummarySchema.nullable().default(null),
  /** null where no round has measured it, and in runs of earlier releases. */
  contribution: contributionSummarySchema.nullable().default(null),
});
export type Results = Readonly<z.infer<typeof resultsSchema>>;

export const summarySchema = resultsSchema.extend({
  run: z.string(),
  seed: z.int(),
  startedAt: z.iso.datetime(),
  seconds: z.number(),
  devices: z.object({ all: z.int(), healthy: z.int() }),
  settings: z.object({
    stream: streamSettingsSchema,
    fleet: fleetSettingsSchema,
    training: federatedTrainingInputSchema,
    /** The data folder as it was given. */
    data: z.string(),
  }),
  batch: batchResultSchema,
  /** Start of the latest window that is counted; it and all before it were complete. */
  latestWindow: z.iso.datetime().nullable(),
});
export type Summary = Readonly<z.infer<typeof summarySchema>>;
