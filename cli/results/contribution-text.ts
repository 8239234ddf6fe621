import { type ContributionSummary } from './summary-schema';
import { counted, points, printableLine, range, signed } from '../shared/format';

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
  const { lastRound, behind } = contribution;
  const known = comparedSites(contribution);
  return [
    ...(known.length === 0
      ? []
      : [`Contribution of sites, in points: ${known.map(siteInWords).join('; ')}.`]),
    ...(lastRound === null
      ? []
      : [
          `Contribution of devices in round ${lastRound.round}, in points of soft score: most ${devices(lastRound.most)}; least ${devices(lastRound.least)}.`,
        ]),
    ...(behind.length === 0
      ? []
      : [
          `Below zero in each of their last three rounds, and further than chance explains: ${devices(behind)}.`,
        ]),
  ];
}

function siteInWords({
  site,
  rounds,
  accuracy,
  accuracyCi95,
  soft,
}: ContributionSummary['sites'][number]): string {
  const over = `over ${counted(rounds, 'round')}`;
  if (accuracy === null) return `${site} ${softPoints(soft)} of soft score ${over}`;
  const interval = accuracyCi95 === null ? '' : ` (95 %: ${range(accuracyCi95, points)})`;
  return `${site} ${points(accuracy)}${interval} ${over}`;
}

function devices(named: readonly Device[]): string {
  return named.length === 0
    ? 'none'
    : named.map(({ device, soft }) => `${printableLine(device)} ${softPoints(soft)}`).join(', ');
}

/** One device of a thousand moves a thousandth of what they move together. */
export function softPoints(soft: number | null): string {
  return soft === null ? '' : signed(100 * soft, 4);
}
