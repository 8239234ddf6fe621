import { z } from 'zod';
import { type Query } from '../../core/warehouse/database/query';
import { type ContributionSummary } from './summary-schema';

/** Devices that are named on either end, and of those that stay behind. */
const NAMED = 5;
/** So many rounds in a row, before a device is named as one that stays behind: chance alone puts half of all devices below zero in a round. */
const ROUNDS_BEHIND = 3;
/** And so many usual deviations of all devices below zero, which chance reaches once in seven hundred. */
const SPREADS_BEHIND = 3;
/** Of a normal distribution, its standard deviation in median absolute deviations. */
const MEDIAN_DEVIATIONS = 1.4826;
/** Of a normal distribution, 95 % lie within so many standard errors. */
const CI95 = 1.96;

const siteRow = z.object({
  site: z.string(),
  rounds: z.number(),
  accuracy: z.number().nullable(),
  accuracy_error: z.number().nullable(),
  soft: z.number().nullable(),
});

/** Sites since a round: their mean over the rounds that have an exact figure, else over those in additive form. */
export function sitesSql(first: number): string {
  return `SELECT site, count(DISTINCT round)::DOUBLE AS rounds, avg(contribution) AS accuracy,
       CASE WHEN count(standard_error) = count(contribution)
            THEN sqrt(sum(standard_error ** 2)) / nullif(count(standard_error), 0) END AS accuracy_error,
       coalesce(avg(soft_contribution) FILTER (WHERE method = 'exact'), avg(soft_contribution)) AS soft
FROM contributions WHERE device_id IS NULL AND round >= ${first} GROUP BY site ORDER BY site`;
}

const deviceRow = z.object({
  round: z.number(),
  device: z.string(),
  site: z.string(),
  soft: z.number(),
  above: z.number(),
  below: z.number(),
});

/** Devices of the newest round that has any, those that brought most first, each with how many are above and below zero. */
export function devicesSql(first: number): string {
  return `WITH devices AS (
  SELECT round, device_id, site, soft_contribution AS soft FROM contributions
  WHERE device_id IS NOT NULL AND soft_contribution IS NOT NULL AND round >= ${first}
), newest AS (
  SELECT *, row_number() OVER (ORDER BY soft DESC, device_id) AS place, count(*) OVER () AS size,
         (count(*) FILTER (WHERE soft > 0) OVER ())::DOUBLE AS above, (count(*) FILTER (WHERE soft < 0) OVER ())::DOUBLE AS below
  FROM devices
  WHERE round = (SELECT max(round) FROM devices)
)
SELECT round, device_id AS device, site, soft, above, below FROM newest
WHERE place <= ${NAMED} OR place > size - ${NAMED} ORDER BY place`;
}

const behindRow = z.object({ device: z.string(), site: z.string(), soft: z.number(), all: z.number() });

/** Devices below zero in each of their last rounds, and further than chance puts them. */
export function behindSql(first: number): string {
  return `WITH latest AS (
  SELECT device_id, site, soft_contribution AS soft FROM contributions
  WHERE device_id IS NOT NULL AND soft_contribution IS NOT NULL AND round >= ${first}
  QUALIFY row_number() OVER (PARTITION BY device_id ORDER BY round DESC) <= ${ROUNDS_BEHIND}
), devices AS (
  SELECT device_id, any_value(site) AS site, avg(soft) AS soft, max(soft) AS most FROM latest
  GROUP BY device_id HAVING count(*) = ${ROUNDS_BEHIND}
)
SELECT device_id AS device, site, soft, (count(*) OVER ())::DOUBLE AS "all" FROM devices
WHERE most < 0 AND soft < -${SPREADS_BEHIND * MEDIAN_DEVIATIONS} * (SELECT mad(soft) FROM devices)
ORDER BY soft, device_id LIMIT ${NAMED}`;
}

/** What sites and devices brought since a round; null where no round has measured it. */
export async function queryContributions(query: Query, first: number): Promise<ContributionSummary | null> {
  const sites = await query(siteRow, sitesSql(first));
  if (sites.length === 0) return null;
  const devices = await query(deviceRow, devicesSql(first));
  const round = devices[0]?.round;
  const brought = devices.map(named);
  const behind = await query(behindRow, behindSql(first));
  return {
    sites: sites.map(({ site, rounds, accuracy, accuracy_error: error, soft }) => ({
      site,
      rounds,
      accuracy,
      accuracyCi95:
        accuracy === null || error === null ? null : [accuracy - CI95 * error, accuracy + CI95 * error],
      soft,
    })),
    lastRound:
      round === undefined
        ? null
        : {
            round,
            most: brought.filter(({ soft }) => soft > 0).slice(0, NAMED),
            least: brought
              .filter(({ soft }) => soft < 0)
              .slice(-NAMED)
              .reverse(),
            above: devices[0]?.above ?? null,
            below: devices[0]?.below ?? null,
          },
    behind: behind.map(named),
    allBehind: behind[0]?.all ?? 0,
  };
}

function named({
  device,
  site,
  soft,
}: z.infer<typeof behindRow | typeof deviceRow>): ContributionSummary['behind'][number] {
  return { device, site, soft };
}

const newestRow = z.object({ round: z.number().nullable() });

/** What sites and devices brought to the newest round that has measured it, under way or not; null where none has. */
export async function queryNewestContributions(query: Query): Promise<ContributionSummary | null> {
  const [newest] = await query(newestRow, 'SELECT max(round) AS round FROM contributions');
  return newest === undefined || newest.round === null ? null : queryContributions(query, newest.round);
}
