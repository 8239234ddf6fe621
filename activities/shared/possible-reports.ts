import { type SiteName } from '../../core/contracts/ids';
import {
  type ContributionSums,
  type FeatureSums,
  type PanelScore,
  type PanelSums,
  type SiteDescription,
} from '../../core/contracts/site-reports';
import { type Task } from '../../core/contracts/task';
import { type LeftOutReason, type ScoreMessage } from '../../core/contracts/updates';
import { type LeftOutDevice } from '../../core/federation/aggregation/update-checks';
import { LINEAR_WINDOWS, LONG_WINDOWS } from '../../core/federation/constants';
import { type RefitSums } from '../../core/federation/panels/additive-sums';
import {
  combineContributions,
  faultOfContribution,
  type CombinedContributions,
  type MeasuredProposal,
} from '../../core/federation/contribution/combine-sums';
import { combineSites } from '../../core/federation/panels/refit-sites';
import { faultOfFeatureSums } from '../../core/federation/training/feature-sums';
import {
  arePossibleScores,
  isPossibleTally,
  linearKind,
  mostPanelDevices,
  refitKind,
} from '../../core/federation/panels/report-checks';
import { type NetworkShape } from '../../core/model/types';
import { PROPOSALS, REFITS } from './proposals';

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

/** The sums of all sites for one proposal, and whose do not count. */
export interface ProposalSums {
  /** Null when no site sent any that can count. */
  readonly sums: RefitSums | null;
  readonly refused: readonly LeftOutDevice[];
}

export function combinedSums(
  sums: readonly PanelSums[],
  sites: readonly SiteDescription[],
  proposal: string,
  shape: NetworkShape,
): ProposalSums {
  const devices = devicesOf(sites);
  const isLinear = proposal === PROPOSALS.linear;
  const windows = isLinear
    ? LINEAR_WINDOWS
    : (REFITS.find(({ of }) => of === proposal)?.windows ?? LONG_WINDOWS);
  const own = sums.filter((sent) => sent.proposal === proposal);
  const combined = combineSites(
    own.map((sent) => ({ sums: sent, devices: devices.get(sent.site) ?? 0, windows })),
    isLinear ? linearKind(shape) : refitKind(shape),
  );
  return {
    sums: combined.sums,
    refused: combined.refused.flatMap(({ place, reason }) =>
      own.slice(place, place + 1).map(({ site }) => leftOutSums(site, `refit sums of ${proposal}`, reason)),
    ),
  };
}

/** What sites say of contributions to a proposal, and whose sums do not count. */
export function combinedContributions(
  sums: readonly ContributionSums[],
  sites: readonly SiteDescription[],
  proposal: MeasuredProposal & { readonly name: string },
): { readonly combined: CombinedContributions | null; readonly refused: readonly LeftOutDevice[] } {
  const devices = devicesOf(sites);
  const judged = sums
    .filter((sent) => sent.proposal === proposal.name)
    .map((sent) => ({ sent, fault: faultOfContribution(sent, proposal, devices.get(sent.site) ?? 0) }));
  return {
    combined: combineContributions(judged.flatMap(({ sent, fault }) => (fault === null ? [sent] : []))),
    refused: judged.flatMap(({ sent, fault }) =>
      fault === null ? [] : [leftOutSums(sent.site, 'contribution sums', fault)],
    ),
  };
}

/** Sites whose sums of features the first version's scaling can be made of, and whose do not count. */
export function possibleFeatureSums(
  sites: readonly SiteDescription[],
  task: Task,
): { readonly possible: readonly FeatureSums[]; readonly refused: readonly LeftOutDevice[] } {
  const judged = sites.flatMap(({ site, devices, featureSums: sums }) =>
    sums === null ? [] : [{ site, sums, fault: faultOfFeatureSums(sums, task, devices) }],
  );
  return {
    possible: judged.flatMap(({ sums, fault }) => (fault === null ? [sums] : [])),
    refused: judged.flatMap(({ site, fault }) =>
      fault === null ? [] : [leftOutSums(site, 'feature sums', fault)],
    ),
  };
}

/** Sums are a site's, not a device's: their name stands in its place. */
function leftOutSums(site: SiteName, what: string, reason: LeftOutReason): LeftOutDevice {
  return { deviceId: `(${what})`, site, reason };
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
