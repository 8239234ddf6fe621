import { type SiteName } from '../../contracts/ids';
import { type LeftOutReason } from '../../contracts/updates';
import { type FlatWeights, type NetworkShape } from '../../model/types';
import {
  CLIP_TO_MEDIAN,
  CONTRIBUTION_SPREAD,
  MIN_CONTRIBUTION_SPREAD,
  MIN_PARTS_TO_COMPARE,
  SUM_ROUNDING,
} from '../constants';
import { mostPanelDevices } from '../panels/report-checks';
import { isFiniteVector, median } from '../vectors';
import { mostGradient } from './soft-gradient';
import { type OwnContributionSums } from './sum-contributions';

/** A mean over the panel's devices, and its standard error; one device shows none. */
export interface PanelMean {
  readonly mean: number;
  readonly standardError: number | null;
}

/** What a site brought to a proposal: its score with everybody minus without the site, in accuracy and in soft score (0 to 1). */
export interface ExactContribution {
  readonly accuracy: PanelMean;
  readonly soft: PanelMean;
}

export interface CombinedContributions {
  /** Devices on panel C that measured. */
  readonly devices: number;
  /** Gradient of the panel's mean soft score [P]. */
  readonly gradient: FlatWeights;
  readonly exact: ReadonlyMap<SiteName, ExactContribution>;
}

/** The proposal that contributions are to. */
export interface MeasuredProposal {
  readonly shape: NetworkShape;
  readonly weights: FlatWeights;
}

/**
 * Why a site's sums cannot come from its panel, or null where they can: of so many devices no part of the gradient is larger than the network's weights
 * let it be, no mean difference is more than 1, and Σ d² lies between (Σ d)²/n and n.
 * @param devicesOfSite as the site has described itself
 */
export function faultOfContribution(
  sums: OwnContributionSums,
  { shape, weights }: MeasuredProposal,
  devicesOfSite: number,
): LeftOutReason | null {
  const { devices, gradient, without } = sums;
  if (gradient.length !== weights.length) return 'wrong-shape';
  const pairs = without.flatMap((pair) => [
    [pair.difference, pair.squaredDifference] as const,
    [pair.softDifference, pair.squaredSoftDifference] as const,
  ]);
  if (!isFiniteVector([...gradient, ...pairs.flat()])) return 'not-finite';
  if (devices > (devicesOfSite === 0 ? 0 : mostPanelDevices(devicesOfSite))) return 'impossible-sums';
  const most = mostGradient(shape, weights);
  const room = devices * (1 + SUM_ROUNDING) + SUM_ROUNDING;
  const isPossible =
    gradient.every((value, at) => Math.abs(value) <= room * (most[at] ?? NaN) + SUM_ROUNDING) &&
    pairs.every(
      ([sum, squares]) =>
        Math.abs(sum) <= room && squares <= room && squares * room >= sum * sum * (1 - SUM_ROUNDING),
    );
  return isPossible ? null : 'impossible-sums';
}

/**
 * The sums of all sites as one; null where no device measured. With three sites or more a minority that makes them up decides nothing: gradients by the device
 * are clipped to 1.5 × the median length, as updates are, and what a site says of a contribution counts within three median deviations of the
 * median site, or half a point, or one of its devices. A liar can make figures uncertain, and so can chance. Two sites cannot tell which of them lies.
 */
export function combineContributions(reports: readonly OwnContributionSums[]): CombinedContributions | null {
  const counting = reports.filter(({ devices }) => devices > 0);
  const devices = counting.reduce((sum, own) => sum + own.devices, 0);
  if (devices === 0) return null;
  const sites = new Set(counting.flatMap(({ without }) => without.map(({ site }) => site)));
  return {
    devices,
    gradient: meanGradient(counting, devices),
    exact: new Map(
      [...sites].map((site) => {
        const said = counting.flatMap((own) => {
          const pair = own.without.find((known) => known.site === site);
          return pair === undefined ? [] : [{ devices: own.devices, ...pair }];
        });
        return [
          site,
          {
            accuracy: panelMean(
              said.map((one) => momentsOf(one.devices, one.difference, one.squaredDifference)),
            ),
            soft: panelMean(
              said.map((one) => momentsOf(one.devices, one.softDifference, one.squaredSoftDifference)),
            ),
          },
        ];
      }),
    ),
  };
}

function meanGradient(reports: readonly OwnContributionSums[], devices: number): FlatWeights {
  const lengths = reports.map((own) => Math.hypot(...own.gradient) / own.devices);
  const bound = reports.length < MIN_PARTS_TO_COMPARE ? Infinity : CLIP_TO_MEDIAN * median(lengths);
  const sum = new Float64Array(reports[0]?.gradient.length ?? 0);
  reports.forEach(({ gradient }, place) => {
    const length = lengths[place] ?? NaN;
    const factor = length > bound ? bound / length : 1;
    gradient.forEach((value, at) => (sum[at] = (sum[at] ?? NaN) + (factor * value) / devices));
  });
  return Float32Array.from(sum);
}

/** Mean and variance over one site's devices. */
interface Moments {
  readonly devices: number;
  readonly mean: number;
  readonly variance: number;
}

function momentsOf(devices: number, sum: number, squares: number): Moments {
  const mean = sum / devices;
  return { devices, mean, variance: Math.max(0, squares / devices - mean * mean) };
}

/** Over the devices of all sites, each site within what the others let it say. */
function panelMean(sites: readonly Moments[]): PanelMean {
  const within = sites.length < MIN_PARTS_TO_COMPARE ? sites : nearMedian(sites);
  const devices = within.reduce((sum, own) => sum + own.devices, 0);
  const average = (of: (own: Moments) => number): number =>
    within.reduce((sum, own) => sum + own.devices * of(own), 0) / devices;
  const mean = average((own) => own.mean);
  const variance = average((own) => own.variance + (own.mean - mean) ** 2);
  return { mean, standardError: devices < 2 ? null : Math.sqrt(variance / (devices - 1)) };
}

function nearMedian(sites: readonly Moments[]): readonly Moments[] {
  const middle = median(sites.map(({ mean }) => mean));
  const typical = median(sites.map(({ mean }) => Math.abs(mean - middle)));
  return sites.map(({ devices, mean, variance }) => {
    const spread = Math.max(CONTRIBUTION_SPREAD * typical, MIN_CONTRIBUTION_SPREAD, 1 / devices);
    return { devices, mean: Math.min(Math.max(mean, middle - spread), middle + spread), variance };
  });
}
