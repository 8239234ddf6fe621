import { panelTallySchema, type PanelTally } from '../../contracts/site-reports';
import { softCorrect } from '../../contracts/soft-score';
import { isCorrect, type Samples } from '../training/samples';

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

/** Tallies of several sites as one; of none, all zeros. */
export function addTallies(parts: readonly PanelTally[]): PanelTally {
  const sumOf = (name: keyof PanelTally): number => parts.reduce((sum, part) => sum + part[name], 0);
  return panelTallySchema.parse(
    Object.fromEntries(panelTallySchema.keyof().options.map((name) => [name, sumOf(name)])),
  );
}
