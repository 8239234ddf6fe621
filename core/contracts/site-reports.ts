import { z } from 'zod';
import { siteKey, siteNameSchema } from './ids';
import { siteReadinessSchema } from './readiness';
import { microsSchema } from './time';

/**
 * A site's reports in a round, apart from its updates: counts and additive sums, in `model-updates`. They go there rather than through
 * Temporal, so that no payload grows with sites, devices or clusters. The first report of a kind counts; a retry repeats it.
 */

/** JSON writes a number that is not finite as null: such a report is read, to be left out by name. */
const reportedSchema = z
  .custom<number | null>((value) => typeof value === 'number' || value === null, 'must be a number')
  .transform((value) => value ?? Number.NaN);

/** By raw feature, how many values a site has, their sum and the sum of their squares: v0's scaling follows from all sites' together. */
const featureSumsSchema = z.object({
  count: z.array(reportedSchema),
  sum: z.array(reportedSchema),
  sumOfSquares: z.array(reportedSchema),
});
export type FeatureSums = z.infer<typeof featureSumsSchema>;

export const siteDescriptionSchema = z.object({
  type: z.literal('site'),
  ...siteKey,
  /** Devices that take part: those that send. */
  devices: z.int().min(0),
  /** Devices by cluster, where clusters can have devices at several sites (a `devices.csv` names them); else each device is its own. */
  groups: z.record(z.string(), z.int().min(1)).nullable(),
  /** Start of the newest closed window of the site's devices. */
  latestWindow: microsSchema.nullable(),
  /** Null from a site of an earlier release, which does not say. */
  readiness: siteReadinessSchema.nullable().default(null),
  /** Only while v0 is being made. */
  featureSums: featureSumsSchema.nullable(),
});
export type SiteDescription = z.infer<typeof siteDescriptionSchema>;

/** Sums for the ridge refit of one proposal's output layer, over one site's devices off panels B and C (core/federation/panels/refit.ts). */
export const panelSumsSchema = z.object({
  type: z.literal('refit-sums'),
  ...siteKey,
  proposal: z.string(),
  /** Gram matrix [hidden + 1, hidden + 1] of activations and a one, row-major. */
  gram: z.array(reportedSchema).readonly(),
  /** By block of windows, newest first: samples, and the right-hand side [hidden + 1]. */
  blocks: z.array(z.object({ rows: reportedSchema, moment: z.array(reportedSchema).readonly() })).readonly(),
});
export type PanelSums = z.infer<typeof panelSumsSchema>;

/**
 * How a proposal did on one panel, beside the champion on the same device-windows: sums that add up over sites. Errors are in
 * tolerances; d = one device's mean of (proposal correct − champion correct) over its windows.
 */
export const panelTallySchema = z.object({
  rows: z.int().min(0),
  correct: z.int().min(0),
  /** Σ σ((1 − |e|)/0.25) */
  softCorrect: z.number(),
  squaredError: z.number(),
  devices: z.int().min(0),
  /** Σ d and Σ d² over devices. */
  difference: z.number(),
  squaredDifference: z.number(),
});
export type PanelTally = Readonly<z.infer<typeof panelTallySchema>>;

/** How one proposal did on one site's panels B (acceptance) and C (gate). */
export const panelScoreSchema = z.object({
  type: z.literal('panel-score'),
  ...siteKey,
  proposal: z.string(),
  b: panelTallySchema,
  c: panelTallySchema,
});
export type PanelScore = z.infer<typeof panelScoreSchema>;

/** What the site's devices on panel A come to by local training [P]: FLTrust holds updates against it (core/federation/aggregation/root-update.ts). */
export const rootUpdateSchema = z.object({
  type: z.literal('root-update'),
  ...siteKey,
  delta: z.array(reportedSchema).readonly(),
});
export type RootUpdate = z.infer<typeof rootUpdateSchema>;

/**
 * What a site's devices on panel C say of contributions to one proposal: sums over devices that add up over sites. A device counts once, by the mean over
 * its windows (core/federation/contribution/).
 */
export const contributionSumsSchema = z.object({
  type: z.literal('contribution-sums'),
  ...siteKey,
  proposal: z.string(),
  devices: z.int().min(0),
  /** Σ of the gradients of a device's mean soft score, by the proposal's weights [P]. */
  gradient: z.array(reportedSchema).readonly(),
  /** By site that the proposal was made again without; d = a device's mean of (right with it − right without it), and the same of soft scores. */
  without: z
    .array(
      z.object({
        site: siteNameSchema,
        difference: reportedSchema,
        squaredDifference: reportedSchema,
        softDifference: reportedSchema,
        squaredSoftDifference: reportedSchema,
      }),
    )
    .readonly(),
});
export type ContributionSums = z.infer<typeof contributionSumsSchema>;

export type SiteReport = SiteDescription | PanelSums | PanelScore | RootUpdate | ContributionSums;
