import { z } from 'zod';
import { roundKey, siteNameSchema, versionIdSchema, type SiteName } from './ids';
import { columnsFit, integerSchema, measureSchema, nameSchema, storedDeviceIdSchema } from './storable';

/**
 * What sites and devices brought to a round: the score of one of its proposals on panel C with everybody, minus that without them. Shares of 0 to 1, as
 * accuracies are. Nothing in a round goes by them.
 */

/** `exact`: the strategy made the proposal again without them. `additive`: to the first order, in soft score alone. */
export const CONTRIBUTION_METHODS = ['exact', 'additive'] as const;
export const contributionMethodSchema = z.enum(CONTRIBUTION_METHODS);

/** What a round is to measure contributions on. */
export interface ContributionPlan {
  /** Name of the proposal. */
  readonly proposal: string;
  /** Why nothing is measured; null where something is. */
  readonly refused: string | null;
  /** Sites that are left out one by one, with the name of the proposal without each, or why there is none. */
  readonly sites: readonly {
    readonly site: SiteName;
    readonly without: string | null;
    readonly refused: string | null;
  }[];
  /** Whether the proposal's step is the mean of its updates by their shares: else the additive form tells their order, and no amounts. */
  readonly isMean: boolean;
  /** What else a reader must know; null for nothing. */
  readonly note: string | null;
}

const shareSchema = z.number().nullable();

/** What a round's result says of contributions; those of devices are in the table `contributions`. */
export const contributionResultSchema = z.object({
  proposal: z.string(),
  refused: z.string().nullable(),
  isMean: z.boolean(),
  note: z.string().nullable(),
  /** Devices on panel C that measured. */
  panelDevices: z.int(),
  /** Devices that have a figure. */
  devices: z.int(),
  /** Sites that were left out one by one. */
  sites: z.array(
    z.object({
      site: siteNameSchema,
      contribution: shareSchema,
      standardError: shareSchema,
      softContribution: shareSchema,
      softStandardError: shareSchema,
      /** Soft score in additive form, beside the exact one. */
      additive: shareSchema,
      refused: z.string().nullable(),
    }),
  ),
});
export type ContributionResult = Readonly<z.infer<typeof contributionResultSchema>>;

/** Result of a round that measured nothing. */
export function nothingMeasured(
  { proposal, isMean, note }: Pick<ContributionPlan, 'proposal' | 'isMean' | 'note'>,
  refused: string,
): ContributionResult {
  return { proposal, refused, isMean, note, panelDevices: 0, devices: 0, sites: [] };
}

/** Contributions of a round, a site's without a device: written by the aggregator, stored in `contributions`. */
export const contributionMessageSchema = z
  .object({
    type: z.literal('contribution'),
    ...roundKey,
    version: versionIdSchema,
    proposal: nameSchema,
    site: z.array(siteNameSchema),
    device_id: z.array(storedDeviceIdSchema.nullable()),
    method: z.array(contributionMethodSchema),
    /** In accuracy; null in the additive form, which knows soft scores alone. */
    contribution: z.array(measureSchema.nullable()),
    standard_error: z.array(measureSchema.nullable()),
    soft_contribution: z.array(measureSchema.nullable()),
    soft_standard_error: z.array(measureSchema.nullable()),
    /** Share of the proposal's step. */
    weight: z.array(measureSchema),
    /** Training rows. */
    rows: z.array(integerSchema),
  })
  .check(columnsFit)
  .refine(({ site, device_id, method }) => {
    const kinds = site.map((name, row) => JSON.stringify([name, device_id[row], method[row]]));
    return new Set(kinds).size === kinds.length;
  }, 'must have each figure of a site or device once');
export type ContributionMessage = z.infer<typeof contributionMessageSchema>;
