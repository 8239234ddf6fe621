import { points, range, whole } from '../../shared/format';
import { comparedSites, CONTRIBUTION_IS, softPoints } from '../../results/contribution-text';
import { behindSql, devicesSql, sitesSql } from '../../results/contributions';
import { type ContributionSummary } from '../../results/summary-schema';
import { type ReportData } from '../data';
import { behind, columns, section, table, text } from '../figure';
import { html, type Html } from '../html';

/** What each site brought over the rounds, and which devices brought most and least to the last one. */
export function contributionsSection({ results }: ReportData): Html | null {
  const { contribution, rounds } = results;
  if (contribution === null) return null;
  const { lastRound, behind: staysBehind } = contribution;
  const known = comparedSites(contribution);
  const first = rounds[0]?.round ?? 0;
  return section(
    'contributions',
    'What did each site and device bring?',
    html`${CONTRIBUTION_IS} A site’s is exact: the round’s strategy was run again without its updates. A
    device’s is its first order, in points of the soft score, of which all devices’ shares cancel out: half of
    them are below zero in any round.`,
    known.length === 0
      ? null
      : table(
          columns('site', 'rounds', 'points', '95 %', 'points of soft score'),
          known.map(({ site, rounds: measured, accuracy, accuracyCi95, soft }) => [
            site,
            whole(measured),
            accuracy === null ? '' : points(accuracy),
            range(accuracyCi95, points),
            softPoints(soft),
          ]),
        ),
    lastRound === null
      ? null
      : html`<h3>Devices of round ${lastRound.round}</h3>
          ${devicesTable([...lastRound.most, ...lastRound.least.toReversed()])}`,
    staysBehind.length === 0
      ? null
      : html`<h3>Below zero in each of their last three rounds, and further than chance explains</h3>
          ${devicesTable(staysBehind)}`,
    behind(null, [
      sitesSql(first),
      ...(lastRound === null ? [] : [devicesSql(first)]),
      ...(staysBehind.length === 0 ? [] : [behindSql(first)]),
    ]),
  );
}

function devicesTable(devices: ContributionSummary['behind']): Html {
  return table(
    columns('device', text('site'), 'points of soft score'),
    devices.map(({ device, site, soft }) => [device, site, softPoints(soft)]),
  );
}
