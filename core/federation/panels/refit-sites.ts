import {
  CLIP_TO_MEDIAN,
  LEVERAGE_TO_MEDIAN,
  MIN_PARTS_TO_COMPARE,
  REFIT_DEVICES,
  UNLIKE_LEVERAGE,
} from '../constants';
import { median } from '../vectors';
import { addRefitSums, rowsOf, type RefitSums } from './additive-sums';
import { ridgeStep } from './shrunk-step';
import { faultOfSums, type SumsKind } from './report-checks';
import { type LeftOutReason } from '../../contracts/updates';

/** One site's sums, and how many devices and windows it has to make them of. */
export interface SiteSums {
  readonly sums: RefitSums;
  readonly devices: number;
  readonly windows: number;
}

export interface CombinedSums {
  /** Null when no site sent any that can count. */
  readonly sums: RefitSums | null;
  /** Places of the sites whose sums cannot come from samples, and why. */
  readonly refused: readonly { readonly place: number; readonly reason: LeftOutReason }[];
}

/**
 * The sums of all sites as one. Impossible ones do not count. A site counts with no more rows than its devices have windows, and with three sites or more
 * no block of a site pulls harder by the row than 1.5 × the median site's, as updates are clipped: a minority of sites that make up their
 * sums cannot turn the refit round. Two sites cannot tell which of them lies; panel B then has the last word.
 */
export function combineSites(sites: readonly SiteSums[], kind: SumsKind): CombinedSums {
  const faults = withoutUnlike(
    sites,
    sites.map(({ sums, devices }) => faultOfSums(sums, kind, devices)),
  );
  const refused = faults.flatMap((reason, place) => (reason === null ? [] : [{ place, reason }]));
  const counting = sites
    .filter(({ sums }, place) => faults[place] === null && rowsOf(sums) > 0)
    .map(withinRows);
  if (counting.length === 0) return { sums: null, refused };
  return {
    sums: addRefitSums(
      counting.length < MIN_PARTS_TO_COMPARE ? counting : clipToMedianSite(counting, kind.ridge),
    ),
    refused,
  };
}

/**
 * The faults, and with three sites or more those whose activations are ten times as large as the median site's: made as small as the others', such
 * sums would have no moment left, and only hold the step back.
 */
function withoutUnlike(
  sites: readonly SiteSums[],
  faults: readonly (LeftOutReason | null)[],
): (LeftOutReason | null)[] {
  const leverages = sites.map(({ sums }, place) =>
    faults[place] === null && rowsOf(sums) > 0 ? leverageByRow(sums) : null,
  );
  const known = leverages.flatMap((leverage) => leverage ?? []);
  if (known.length < MIN_PARTS_TO_COMPARE) return [...faults];
  const most = UNLIKE_LEVERAGE * median(known);
  return faults.map((fault, place) =>
    fault === null && (leverages[place] ?? 0) > most ? 'unlike-other-sites' : fault,
  );
}

function withinRows({ sums, devices, windows }: SiteSums): RefitSums {
  const most = Math.min(devices, REFIT_DEVICES) * windows;
  const rows = rowsOf(sums);
  if (rows <= most) return sums;
  const factor = most / rows;
  return {
    gram: sums.gram.map((value) => factor * value),
    blocks: sums.blocks.map((block) => ({
      rows: factor * block.rows,
      moment: block.moment.map((value) => factor * value),
    })),
  };
}

/** @param ridge where moments are of changes: what is clipped is what they pull beside the sites' typical solution with it */
function clipToMedianSite(sites: readonly RefitSums[], ridge: number | null): RefitSums[] {
  if (ridge === null) return clipMoments(sites);
  const typical = typicalSolution(sites, ridge);
  const beside = sites.map((sums) => moved(sums, typical, -1));
  return clipMoments(beside).map((sums) => moved(sums, typical, 1));
}

/** Term by term the median of what each site by itself would solve for; a minority of sites does not move it far. */
function typicalSolution(sites: readonly RefitSums[], ridge: number): readonly number[] {
  const solutions = sites.flatMap((sums) => {
    const solution = ridgeStep(sums, ridge);
    return solution === null ? [] : [solution];
  });
  return (solutions[0] ?? []).map((_, at) => median(solutions.map((solution) => solution[at] ?? NaN)));
}

/** The moments with a block's part of `times` × gram · solution added. */
function moved({ gram, blocks }: RefitSums, solution: readonly number[], times: number): RefitSums {
  const rows = rowsOf({ blocks });
  const size = solution.length;
  const pull = solution.map((_, i) =>
    solution.reduce((sum, value, j) => sum + value * (gram[i * size + j] ?? NaN), 0),
  );
  return {
    gram,
    blocks: blocks.map((block) => ({
      ...block,
      moment: block.moment.map((value, at) => value + ((times * block.rows) / rows) * (pull[at] ?? NaN)),
    })),
  };
}

function clipMoments(sites: readonly RefitSums[]): RefitSums[] {
  const places = Math.max(...sites.map(({ blocks }) => blocks.length));
  const longest = Array.from(
    { length: places },
    (_, place) => CLIP_TO_MEDIAN * median(sites.flatMap(({ blocks }) => pullByRow(blocks[place]) ?? [])),
  );
  const heaviest = LEVERAGE_TO_MEDIAN * median(sites.map(leverageByRow));
  return sites.map((sums) => {
    const leverage = leverageByRow(sums);
    const share = leverage > heaviest ? heaviest / leverage : 1;
    return {
      gram: sums.gram.map((value) => share * value),
      blocks: sums.blocks.map((block, place) => {
        const pull = pullByRow(block) ?? 0;
        const bound = longest[place] ?? 0;
        const factor = Math.min(share, pull > bound ? bound / pull : 1);
        return { ...block, moment: block.moment.map((value) => factor * value) };
      }),
    };
  });
}

type Block = RefitSums['blocks'][number];

/** Length of a block's moment by the row; null without rows. */
function pullByRow(block: Block | undefined): number | null {
  return block === undefined || block.rows === 0 ? null : Math.hypot(...block.moment) / block.rows;
}

function leverageByRow(sums: RefitSums): number {
  const size = Math.sqrt(sums.gram.length);
  let trace = 0;
  for (let at = 0; at < size; at += 1) trace += sums.gram[at * size + at] ?? NaN;
  return trace / rowsOf(sums);
}
