import { type PanelTally } from '../../contracts/site-reports';
import { PANEL_DEVICES, PANEL_SHARE, RECENT_WINDOWS, LONG_WINDOWS, SUM_ROUNDING } from '../constants';
import { type LocalScores } from './local-scoring';
import { type RefitSums } from './refit';

/**
 * What a site cannot have measured does not count: a single site that reports a million times its devices would else decide alone.
 * What it could have measured is believed; how far others let it count is another matter (refit-sites.ts).
 */

/** Most devices that a site has on one panel: its share of 250, or a tenth of its own. */
export function mostPanelDevices(devicesOfSite: number): number {
  return Math.max(1, Math.ceil(Math.min(PANEL_DEVICES, devicesOfSite * PANEL_SHARE)));
}

/** @param devices that the site can have on the panel */
export function isPossibleTally(tally: PanelTally, devices: number): boolean {
  const { rows, correct, softCorrect, squaredError, difference, squaredDifference } = tally;
  return (
    tally.devices <= devices &&
    rows <= tally.devices * RECENT_WINDOWS &&
    correct <= rows &&
    softCorrect >= 0 &&
    softCorrect <= rows &&
    squaredError >= 0 &&
    Math.abs(difference) <= tally.devices &&
    squaredDifference >= 0 &&
    squaredDifference <= tally.devices
  );
}

/** @param devices that the site can have on the panel */
export function arePossibleScores(scores: LocalScores, devices: number): boolean {
  const { rows_recent: recent, rows_long: long } = scores;
  return (
    recent <= devices * RECENT_WINDOWS &&
    long <= devices * LONG_WINDOWS &&
    scores.correct_recent.every((count) => count <= recent) &&
    scores.correct_long.every((count) => count <= long)
  );
}

/**
 * Sums Σ v h hᵀ and Σ v r h of real samples obey Cauchy and Schwarz: m_i² ≤ Σ v r² · Σ v h_i², and no sample has v r² above 9/8. The last
 * diagonal entry is Σ v, at most 1 a sample.
 */
export function arePossibleSums({ gram, blocks }: RefitSums): boolean {
  const size = Math.sqrt(gram.length);
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const diagonal = Array.from({ length: size }, (_, at) => gram[at * size + at] ?? NaN);
  const most = diagonal.map((square) => Math.sqrt(MOST_WEIGHTED_SQUARE * rows * square) * SUM_ROUNDING);
  const moments = diagonal.map((_, at) => blocks.reduce((sum, { moment }) => sum + (moment[at] ?? NaN), 0));
  return (
    (diagonal[size - 1] ?? NaN) <= rows * SUM_ROUNDING &&
    diagonal.every((square) => square >= 0) &&
    moments.every((moment, at) => Math.abs(moment) <= (most[at] ?? NaN))
  );
}

/** The largest r²/(1 + (r/1.5)⁴) there is, at r = 1.5. */
const MOST_WEIGHTED_SQUARE = 1.125;
