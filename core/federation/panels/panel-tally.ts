import { type PanelTally } from '../../contracts/site-reports';
import { SOFT_CORRECT_WIDTH } from '../constants';
import { isCorrect, type Samples } from '../training/samples';

export type { PanelTally };

export const EMPTY_TALLY: PanelTally = {
  rows: 0,
  correct: 0,
  softCorrect: 0,
  squaredError: 0,
  devices: 0,
  difference: 0,
  squaredDifference: 0,
};

/** A site's tally of one proposal: outputs [samples.count] of proposal and champion, in tolerances. */
export function tallyPanel(
  samples: Samples,
  proposal: ArrayLike<number>,
  champion: ArrayLike<number>,
): PanelTally {
  let correct = 0;
  let soft = 0;
  let squaredError = 0;
  const devices = new Map<number, { difference: number; windows: number }>();
  samples.y.forEach((actual, at) => {
    const error = (proposal[at] ?? NaN) - actual;
    const right = isCorrect(error);
    correct += right;
    soft += softCorrect(error);
    squaredError += error * error;
    const device = samples.device[at] ?? -1;
    const own = devices.get(device) ?? { difference: 0, windows: 0 };
    own.difference += right - isCorrect((champion[at] ?? NaN) - actual);
    own.windows += 1;
    devices.set(device, own);
  });
  let difference = 0;
  let squaredDifference = 0;
  for (const own of devices.values()) {
    const mean = own.difference / own.windows;
    difference += mean;
    squaredDifference += mean * mean;
  }
  return {
    rows: samples.count,
    correct,
    softCorrect: soft,
    squaredError,
    devices: devices.size,
    difference,
    squaredDifference,
  };
}

/** Tallies of several sites as one. */
export function addTallies(parts: readonly PanelTally[]): PanelTally {
  return parts.reduce(
    (sum, part) => ({
      rows: sum.rows + part.rows,
      correct: sum.correct + part.correct,
      softCorrect: sum.softCorrect + part.softCorrect,
      squaredError: sum.squaredError + part.squaredError,
      devices: sum.devices + part.devices,
      difference: sum.difference + part.difference,
      squaredDifference: sum.squaredDifference + part.squaredDifference,
    }),
    EMPTY_TALLY,
  );
}

/** σ((1 − |e|)/0.25) of an error in tolerances: ½ at the boundary, near 1 inside, near 0 outside. */
export function softCorrect(error: number): number {
  return 1 / (1 + Math.exp((Math.abs(error) - 1) / SOFT_CORRECT_WIDTH));
}
