import {
  nothingMeasured,
  type ContributionMessage,
  type ContributionPlan,
  type ContributionResult,
} from '../core/contracts/contribution';
import { versionOfRound, type SiteName } from '../core/contracts/ids';
import { sentIn, type RoundPlan } from '../core/contracts/steps';
import { clipUpdates } from '../core/federation/aggregation/aggregate';
import { type CheckedUpdate } from '../core/federation/aggregation/update-checks';
import { additiveContributions, type AdditiveContributions } from '../core/federation/contribution/additive';
import { type CombinedContributions } from '../core/federation/contribution/combine-sums';
import { sitesOf } from '../core/federation/contribution/leave-site-out';
import { type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { checkedUpdates } from './shared/checked-updates';
import { publishLeftOut, sendPortions } from './shared/outcomes';
import { combinedContributions } from './shared/possible-reports';
import { nameOfShares } from './shared/proposals';
import { trainedBase } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

export interface ContributeDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
}

/** An update in the measured proposal, with its share. */
type Participant = CheckedUpdate & { readonly weight: number };

/** A row of the view `contributions`. */
interface Row {
  readonly site: SiteName;
  /** Null for the site itself. */
  readonly deviceId: string | null;
  readonly method: ContributionMessage['method'][number];
  readonly contribution: number | null;
  readonly standardError: number | null;
  readonly soft: number | null;
  readonly softStandardError: number | null;
  readonly weight: number;
  readonly rows: number;
}

/**
 * What sites and devices brought, of the sums that sites have sent: published, stored by the warehouse, and in short for the round's result. Sums that do
 * not count are published with the reason.
 * @param trainedTo offset up to which all updates stand
 */
export async function contribute(
  { producer, deployments, inbox }: ContributeDependencies,
  plan: RoundPlan,
  trainedTo: number,
  planned: ContributionPlan,
): Promise<ContributionResult> {
  const base = trainedBase(deployments, plan.champion);
  const { proposal: name } = planned;
  const weights = await inbox.proposal(plan, name);
  const { combined, refused } = combinedContributions(
    await inbox.contributionSums(plan),
    await inbox.descriptions(plan),
    { name, weights, shape: base.model.metadata.shape },
  );
  await publishLeftOut(producer, plan, refused);
  if (combined === null) return nothingMeasured(planned, 'no site measured it on panel C');
  const { good } = await checkedUpdates(inbox, plan, trainedTo, base);
  const participants = withShares(good, await inbox.proposal(plan, nameOfShares(name)), plan);
  const additive = additiveContributions(combined.gradient, participants);
  const rows = [
    ...rowsOfSites(participants, combined, additive),
    ...participants.map((own, at) => additiveRow(own.site, own.deviceId, [own], additive.updates[at])),
  ];
  await publishRows(producer, plan, name, rows);
  return resultOf(planned, combined, rows);
}

/** The updates with a share in the proposal, as its strategy took them. One that came after the aggregation stands behind them, and has none. */
function withShares(
  good: readonly CheckedUpdate[],
  shares: Float32Array,
  { parts }: RoundPlan,
): readonly Participant[] {
  const updates = good.slice(0, shares.length);
  const { deltas } = clipUpdates({ updates, parts });
  return updates
    .map((update, at) => ({ ...update, delta: deltas[at] ?? update.delta, weight: shares[at] ?? 0 }))
    .filter(({ weight }) => weight > 0);
}

/** Of each site the exact figure, where there is one, and the additive one. */
function rowsOfSites(
  participants: readonly Participant[],
  { exact }: CombinedContributions,
  additive: AdditiveContributions,
): Row[] {
  return sitesOf(participants).flatMap((site) => {
    const own = participants.filter((one) => one.site === site);
    const found = exact.get(site);
    const rows = [additiveRow(site, null, own, additive.sites.get(site))];
    if (found !== undefined)
      rows.unshift({
        ...sizeOf(site, null, own),
        method: 'exact',
        contribution: found.accuracy.mean,
        standardError: found.accuracy.standardError,
        soft: found.soft.mean,
        softStandardError: found.soft.standardError,
      });
    return rows;
  });
}

function additiveRow(
  site: SiteName,
  deviceId: string | null,
  own: readonly Participant[],
  soft: number | null = null,
): Row {
  return {
    ...sizeOf(site, deviceId, own),
    method: 'additive',
    contribution: null,
    standardError: null,
    soft,
    softStandardError: null,
  };
}

function sizeOf(
  site: SiteName,
  deviceId: string | null,
  own: readonly Participant[],
): Pick<Row, 'site' | 'deviceId' | 'weight' | 'rows'> {
  return {
    site,
    deviceId,
    weight: own.reduce((sum, { weight }) => sum + weight, 0),
    rows: own.reduce((sum, { rows }) => sum + rows, 0),
  };
}

function publishRows(
  producer: Producer,
  plan: RoundPlan,
  proposal: string,
  rows: readonly Row[],
): Promise<void> {
  return sendPortions(producer, rows, (part): ContributionMessage => ({
    type: 'contribution',
    ...sentIn(plan, 'train'),
    version: versionOfRound(plan.round),
    proposal,
    site: part.map(({ site }) => site),
    device_id: part.map(({ deviceId }) => deviceId),
    method: part.map(({ method }) => method),
    contribution: part.map(({ contribution }) => contribution),
    standard_error: part.map(({ standardError }) => standardError),
    soft_contribution: part.map(({ soft }) => soft),
    soft_standard_error: part.map(({ softStandardError }) => softStandardError),
    weight: part.map(({ weight }) => weight),
    rows: part.map((row) => row.rows),
  }));
}

function resultOf(
  planned: ContributionPlan,
  { devices: panelDevices }: CombinedContributions,
  rows: readonly Row[],
): ContributionResult {
  const { proposal, isMean, note } = planned;
  const find = (site: SiteName, method: Row['method']): Row | undefined =>
    rows.find((row) => row.site === site && row.deviceId === null && row.method === method);
  return {
    proposal,
    refused: null,
    isMean,
    note,
    panelDevices,
    devices: rows.filter(({ deviceId, soft }) => deviceId !== null && soft !== null).length,
    sites: planned.sites.map(({ site, without, refused }) => {
      const exact = find(site, 'exact');
      return {
        site,
        contribution: exact?.contribution ?? null,
        standardError: exact?.standardError ?? null,
        softContribution: exact?.soft ?? null,
        softStandardError: exact?.softStandardError ?? null,
        additive: find(site, 'additive')?.soft ?? null,
        refused: refused ?? (without !== null && exact === undefined ? 'no site measured it' : null),
      };
    }),
  };
}
