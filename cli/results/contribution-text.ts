import { fewOf, shortName } from '../../core/contracts/named';
import { type ContributionSummary } from './summary-schema';
import { counted, points, printableLine, range, signed } from '../shared/format';

/** Sites of one line. */
const SITES_SHOWN = 4;
/** Devices of either end. */
const DEVICES_SHOWN = 2;

type Device = ContributionSummary['behind'][number];

/** What a contribution is, where it is shown. */
export const CONTRIBUTION_IS =
  'Score of the round’s network on devices that took no part, with everybody minus without the one; nothing goes by it.';

/** Sites that have something to be compared with: of one alone there is nothing without it. */
export function comparedSites({ sites }: ContributionSummary): ContributionSummary['sites'] {
  return sites.filter(({ accuracy, soft }) => accuracy !== null || (soft !== null && sites.length > 1));
}

/** What sites and devices brought, as lines of text. */
export function contributionInWords(contribution: ContributionSummary): readonly string[] {
  const { behind, allBehind } = contribution;
  return [
    ...broughtInWords(contribution).map((what) => `Contribution ${what}.`),
    ...(behind.length === 0
      ? []
      : [
          `Below zero in each of their last three rounds, and further than chance explains: ${devices(behind, allBehind)}.`,
        ]),
  ];
}

/** The same without devices that stay behind, for lines that are called contributions. */
export function broughtInWords(contribution: ContributionSummary): readonly string[] {
  const { lastRound } = contribution;
  const known = comparedSites(contribution);
  return [
    ...(known.length === 0 ? [] : [`of sites, in points: ${sites(known)}`]),
    ...(lastRound === null
      ? []
      : [
          `of devices in round ${lastRound.round}, in points of soft score: most ${devices(lastRound.most, lastRound.above)}; least ${devices(lastRound.least, lastRound.below)}`,
        ]),
  ];
}

/** All of a few sites; of many those that brought most and least, and how many lie between. */
function sites(known: ContributionSummary['sites']): string {
  if (known.length <= SITES_SHOWN) return known.map(siteInWords).join('; ');
  const ranked = known.toSorted((a, b) => broughtBy(b) - broughtBy(a));
  const ends = [...ranked.slice(0, SITES_SHOWN / 2), ...ranked.slice(-SITES_SHOWN / 2)];
  return `${ends.map(siteInWords).join('; ')}; ${known.length - SITES_SHOWN} more between`;
}

function broughtBy({ accuracy, soft }: ContributionSummary['sites'][number]): number {
  return accuracy ?? soft ?? 0;
}

function siteInWords({
  site,
  rounds,
  accuracy,
  accuracyCi95,
  soft,
}: ContributionSummary['sites'][number]): string {
  const over = `over ${counted(rounds, 'round')}`;
  const name = shortName(printableLine(site));
  if (accuracy === null) return `${name} ${softPoints(soft)} of soft score ${over}`;
  const interval = accuracyCi95 === null ? '' : ` (95 %: ${range(accuracyCi95, points)})`;
  return `${name} ${points(accuracy)}${interval} ${over}`;
}

/** @param count of all that there are, of which the first are named; null where nobody counted them */
function devices(named: readonly Device[], count: number | null): string {
  if (named.length === 0) return 'none';
  const items = named.map(({ device, soft }) => `${shortName(printableLine(device))} ${softPoints(soft)}`);
  return fewOf(items.slice(0, DEVICES_SHOWN), count ?? named.length);
}

/** One device of a thousand moves a thousandth of what they move together. */
export function softPoints(soft: number | null): string {
  return soft === null ? '' : signed(100 * soft, 4);
}
