import { type SiteName } from '../../core/contracts/ids';
import { type PanelScore, type PanelSums, type SiteDescription } from '../../core/contracts/site-reports';
import { type ScoreMessage } from '../../core/contracts/updates';
import { LONG_WINDOWS } from '../../core/federation/constants';
import { combineSites, type CombinedSums } from '../../core/federation/panels/refit-sites';
import {
  arePossibleScores,
  isPossibleTally,
  mostPanelDevices,
} from '../../core/federation/panels/report-checks';
import { REFITS } from './proposals';

/** Reports that a site of so many devices can have made, and how many others there were. */
export interface Possible<Report> {
  readonly possible: readonly Report[];
  readonly refused: number;
}

export function possibleScores(
  scores: readonly ScoreMessage[],
  sites: readonly SiteDescription[],
): Possible<ScoreMessage> {
  return possible(scores, sites, (score, devices) => arePossibleScores(score, mostPanelDevices(devices)));
}

export function possiblePanelScores(
  scores: readonly PanelScore[],
  sites: readonly SiteDescription[],
): Possible<PanelScore> {
  return possible(scores, sites, ({ b, c }, devices) =>
    [b, c].every((tally) => isPossibleTally(tally, mostPanelDevices(devices))),
  );
}

/** The sums of all sites for one proposal. */
export function combinedSums(
  sums: readonly PanelSums[],
  sites: readonly SiteDescription[],
  proposal: string,
): CombinedSums {
  const devices = devicesOf(sites);
  const windows = REFITS.find(({ of }) => of === proposal)?.windows ?? LONG_WINDOWS;
  return combineSites(
    sums
      .filter((own) => own.proposal === proposal)
      .map((own) => ({ sums: own, devices: devices.get(own.site) ?? 0, windows })),
  );
}

function possible<Report extends { readonly site: SiteName }>(
  reports: readonly Report[],
  sites: readonly SiteDescription[],
  isPossible: (report: Report, devices: number) => boolean,
): Possible<Report> {
  const devices = devicesOf(sites);
  const kept = reports.filter((report) => {
    const own = devices.get(report.site);
    return own !== undefined && isPossible(report, own);
  });
  return { possible: kept, refused: reports.length - kept.length };
}

function devicesOf(sites: readonly SiteDescription[]): ReadonlyMap<SiteName, number> {
  return new Map(sites.map(({ site, devices }) => [site, devices]));
}
