import { z } from 'zod';
import { ROW_LIMITS } from './limits';
import { nameSchema } from './storable';

/**
 * Identifiers that must not be mixed up. They are branded strings: free to create through the functions here,
 * which check them, and impossible to swap by accident afterwards.
 */

/** A sensor's own name, as it stands in its events. Comes from outside: never a path, SQL text or metric label. */
export const deviceIdSchema = z.string().min(1).max(ROW_LIMITS.deviceIdCharacters).brand<'DeviceId'>();
export type DeviceId = z.infer<typeof deviceIdSchema>;

/**
 * A version of the global model: `v0`, `v1`, …; the candidate that was not elected adds its role: `v3-steady`. A round that was reset after it had deployed
 * makes other weights, under a name of their own: `v3.2`.
 */
export const versionIdSchema = z
  .string()
  .regex(
    /^v\d{1,9}(\.\d{1,3})?(-(steady|responsive|linear))?$/,
    'a version is named v0, v1, … or v3-steady, v3-responsive, v3-linear, v3.2',
  )
  .brand<'VersionId'>();
export type VersionId = z.infer<typeof versionIdSchema>;

/** A trainer process with its own devices and task queue. */
export const siteNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,38}$/, 'a site name has 1 to 39 of a-z, 0-9 and -')
  .brand<'SiteName'>();
export type SiteName = z.infer<typeof siteNameSchema>;

/** Rounds count from 1; version `v<round>` is what round `<round>` made. */
export const roundNumberSchema = z.int().min(1).max(999_999_999);

/** What the messages of a round in `model-updates` begin with (`RoundRef` says more); of an earlier release they have no `take`. */
export const roundKey = { round: roundNumberSchema, attempt: nameSchema, take: nameSchema.optional() };
/** The same of a message that a site sends. */
export const siteKey = { ...roundKey, site: siteNameSchema };

/** Name of the version that serves from a round on. @param again 2 for the second one that the same round makes, after a reset */
export function versionOfRound(round: number, again = 1): VersionId {
  return versionIdSchema.parse(again === 1 ? `v${round}` : `v${round}.${again}`);
}

/** The round that made a version, by its name; 0 for one that no round made. */
export function roundOfVersion(version: VersionId): number {
  return roundNumberSchema.safeParse(Number(/^v(\d+)/.exec(version)?.[1])).data ?? 0;
}

/** The untrained network: the first round's champion. */
export const FIRST_VERSION: VersionId = versionIdSchema.parse('v0');

/** Name of a fleet: prefix of its topics, groups, task queues and workflow ids, and part of metric labels and paths, so it is narrow. */
export const fleetNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, 'a fleet is named with 1 to 31 of a-z, 0-9 and -, a letter first')
  .refine((name) => !/-(site|stream|analytics)(-|$)/.test(name), {
    // Queues of a site (`pumps-site-a`) and groups of warehouses have free names at their end: a fleet must not be named like one.
    error: 'site, stream and analytics are no parts of a name behind its first -',
  })
  .brand<'FleetName'>();
export type FleetName = z.infer<typeof fleetNameSchema>;

/** The fleet of a deployment without a file. */
export const DEFAULT_FLEET = fleetNameSchema.parse('fedloop');
