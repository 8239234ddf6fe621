import { z } from 'zod';
import { type SerialConnection } from '../database/connection';
import { ROUNDS_WITH_METRICS, SITES_WITH_METRICS } from '../limits';
import { gauge, type TableFigures } from './table-figures';

const NUMBERED = 'sites are numbered as they came, and named by the view contributions.';

const FIGURES = {
  fedloop_round_site_contribution_ratio: gauge(
    `Accuracy of the network of a round with all sites minus without the one; ${NUMBERED}`,
    'round',
    'site_number',
  ),
  fedloop_round_site_contribution_error_ratio: gauge(
    `Standard error of the contribution of a site in accuracy; ${NUMBERED}`,
    'round',
    'site_number',
  ),
  fedloop_round_site_soft_contribution_ratio: gauge(
    `Soft score of the network of a round with all sites minus without the one; ${NUMBERED}`,
    'round',
    'site_number',
  ),
};

const siteRow = z.object({
  round: z.int(),
  number: z.int(),
  accuracy: z.number().nullable(),
  error: z.number().nullable(),
  soft: z.number().nullable(),
});

/** Of the latest rounds in which there was more than one site: of one alone there is nothing without it. */
const SITES = `
  WITH of_sites AS (FROM contributions WHERE device_id IS NULL),
       numbered AS (SELECT site, row_number() OVER (ORDER BY min(round), site) AS number FROM of_sites GROUP BY site)
  SELECT round, number, max(contribution) AS accuracy, max(standard_error) AS error,
         coalesce(max(soft_contribution) FILTER (WHERE method = 'exact'), max(soft_contribution)) AS soft
  FROM of_sites JOIN numbered USING (site)
  WHERE round > (SELECT max(round) FROM of_sites) - ${ROUNDS_WITH_METRICS}
  GROUP BY round, number
  QUALIFY count(*) OVER (PARTITION BY round) > 1 AND number <= ${SITES_WITH_METRICS}`;

/** What each site brought to the latest rounds. A name of a site says whose it is, and devices are too many: labels have neither. */
export function contributionFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(FIGURES, async (put) => {
    for (const { round, number, accuracy, error, soft } of await connection.rows(siteRow, SITES)) {
      const labels = [String(round), String(number)];
      put('fedloop_round_site_contribution_ratio', accuracy, ...labels);
      put('fedloop_round_site_contribution_error_ratio', error, ...labels);
      put('fedloop_round_site_soft_contribution_ratio', soft, ...labels);
    }
  });
}
