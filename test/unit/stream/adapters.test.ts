import fc from 'fast-check';
import { SUMS } from '../../../core/stream/adapters/device-ridge';
import { type AdapterRows, VersionAdapters } from '../../../core/stream/adapters/version-adapters';

/** Twelve windows of three devices: a wild reading, missing ones, a change beyond all bounds. Corrections were computed by numpy from the same formulas. */
const REFERENCE = {
  forecast: [
    [-0.802, -1.324, -0.248],
    [0.42, 1.136, 0.11],
    [-0.553, -0.785, 0.749],
    [1.635, 0.273, -1.233],
    [-0.958, 1.6, 0.203],
    [-1.732, -0.084, -1.163],
    [-0.629, -0.488, -0.713],
    [NaN, -0.063, -0.589],
    [0.41, 0.83, -1.643],
    [-0.257, -0.981, -0.173],
    [-1.289, 0.021, -0.038],
    [-0.304, -1.048, -0.396],
  ],
  last: [
    [-1.637, -2.033, 0.337],
    [-1.664, 1.755, 1.075],
    [-2.997, 0.408, -1.653],
    [NaN, 0.065, -2.983],
    [-0.35, -0.384, 1.443],
    [-1.772, 40, -1.648],
    [-0.497, -1.261, 2.173],
    [0.852, 3.648, 0.963],
    [1.267, 1.261, -0.91],
    [-0.105, 2.026, -0.595],
    [0.283, -0.032, 0.914],
    [-0.547, -0.229, 0.364],
  ],
  before: [
    [0.155, -1.297, 1.344],
    [-1.948, -1.802, -1.924],
    [1.45, -0.541, -1.457],
    [-1.704, 0.632, -1.582],
    [-1.908, 0.921, -1.795],
    [-0.484, -0.01, -0.668],
    [-0.081, 2.008, -0.775],
    [-1.889, -2.755, -0.307],
    [-0.528, 0.398, -0.696],
    [-0.718, -1.082, -0.78],
    [0.24, -0.571, 0.151],
    [2.852, 0.719, -2.364],
  ],
  actual: [
    [0.205, -0.01, -0.772],
    [1.551, 2.331, -0.357],
    [0.09, -0.2, 1.219],
    [2.836, 1.444, -0.98],
    [-0.213, 12, -0.047],
    [-1.589, 0.552, -1.59],
    [-0.323, 0.948, NaN],
    [0.965, 0.605, -0.969],
    [0.94, 2.165, -1.907],
    [0.635, -0.294, -0.167],
    [-1.119, 0.958, -0.434],
    [0.352, 0.073, -0.223],
  ],
  shares: [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  corrections: [
    [0, 0, 0],
    [0.045600935, -0.013501417, 0.017375267],
    [0.160431852, 0.104828113, -0.016043496],
    [0.055850383, 0.040044195, 0.014298815],
    [0.155293229, 0.056067995, -0.020519427],
    [0.206386437, 0.103228952, 0.029242923],
    [0.127447804, 0.019538021, -0.064479701],
    [0, 0.203889299, -0.050176581],
    [0.113688439, 0.154329416, -0.061951092],
    [0.172268378, 0.260732091, -0.03431203],
    [0.100706903, 0.216369471, -0.054792277],
    [-0.052402408, 0.219407467, -0.060235768],
  ],
};

interface Window extends AdapterRows {
  readonly actual: Float64Array;
}

function windowOf(
  columns: Readonly<Record<'forecast' | 'last' | 'before' | 'actual', readonly number[]>>,
): Window {
  const { forecast, last, before, actual } = columns;
  return {
    devices: forecast.map((_, device) => device),
    forecast: Float64Array.from(forecast),
    last: Float64Array.from(last),
    before: Float64Array.from(before),
    actual: Float64Array.from(actual),
  };
}

function referenceWindow(at: number): Window {
  const { forecast, last, before, actual } = REFERENCE;
  return windowOf({
    forecast: forecast[at] ?? [],
    last: last[at] ?? [],
    before: before[at] ?? [],
    actual: actual[at] ?? [],
  });
}

/** Play windows one after the other. @returns the corrections of each, and the share that was served. */
function play(
  adapters: VersionAdapters,
  windows: readonly Window[],
): { readonly corrections: number[]; readonly share: number }[] {
  return windows.map((window) => {
    const corrections = adapters.corrections(window);
    const { share } = adapters;
    adapters.learn(window, window.actual, corrections);
    return { corrections: [...corrections], share };
  });
}

/** Windows in which every device's forecast errs by the same rule. */
function windowsOf(count: number, error: (device: number, window: number) => number, devices = 5): Window[] {
  return Array.from({ length: count }, (_, window) => {
    const forecast = Array.from({ length: devices }, (_, device) => Math.sin(3 * window + device));
    return windowOf({
      forecast,
      last: forecast.map((_, device) => Math.cos(2 * window + device)),
      before: forecast.map((_, device) => Math.cos(2 * (window - 1) + device)),
      actual: forecast.map((change, device) => change + error(device, window)),
    });
  });
}

describe('device adapters', () => {
  it('correct as numpy does from the same formulas', () => {
    const windows = REFERENCE.forecast.map((_, at) => referenceWindow(at));
    const played = play(new VersionAdapters(), windows);
    played.forEach(({ corrections }, at) => {
      corrections.forEach((correction, device) => {
        expect(correction).toBeCloseTo(REFERENCE.corrections[at]?.[device] ?? NaN, 8);
      });
    });
    expect(played.map(({ share }) => share)).toEqual(REFERENCE.shares);
  });

  it('correct nothing before they have learnt', () => {
    const adapters = new VersionAdapters();
    expect(adapters.isNew).toBe(true);
    expect(adapters.share).toBe(0);
    expect([...adapters.corrections(referenceWindow(0))]).toEqual([0, 0, 0]);
  });

  it('find the constant error of one device, and leave the others alone', () => {
    const adapters = new VersionAdapters();
    const windows = windowsOf(200, (device) => (device === 1 ? 1.2 : 0));
    const corrections = play(adapters, windows).at(-1)?.corrections ?? [];
    expect(corrections[1]).toBeGreaterThan(0.7);
    for (const device of [0, 2, 3, 4]) expect(corrections[device]).toBe(0);
    expect(adapters.share).toBe(1);
  });

  it('are not served while they harm, and again once they help', () => {
    const adapters = new VersionAdapters();
    // Errors lie at the boundary: 0.9 is right, and a correction learnt from the opposite sign makes it wrong.
    play(
      adapters,
      windowsOf(60, () => 0.9),
    );
    expect(adapters.share).toBe(1);
    play(
      adapters,
      windowsOf(6, () => -0.9),
    );
    expect(adapters.share).toBe(0);
    play(
      adapters,
      windowsOf(120, () => -0.9),
    );
    expect(adapters.share).toBe(1);
  });

  it('are served by half while all of them would go too far', () => {
    const adapters = new VersionAdapters();
    play(
      adapters,
      windowsOf(60, () => 1.9),
    );
    expect(adapters.share).toBe(1);
    play(
      adapters,
      windowsOf(6, () => 0.5),
    );
    expect(adapters.share).toBe(0.5);
  });

  it('learn nothing of windows without readings', () => {
    const adapters = new VersionAdapters();
    play(
      adapters,
      windowsOf(30, (device) => device / 4),
    );
    const before = [adapters.save(), adapters.ridge.sums.save([0, 1, 2, 3, 4])];
    play(
      adapters,
      windowsOf(5, () => NaN),
    );
    expect([adapters.save(), adapters.ridge.sums.save([0, 1, 2, 3, 4])]).toEqual(before);
  });

  it('forget a device whose number another one gets', () => {
    const adapters = new VersionAdapters();
    play(
      adapters,
      windowsOf(50, () => 1),
    );
    adapters.ridge.sums.forget(2);
    expect([...adapters.ridge.sums.save([2])]).toEqual(new Array<number>(SUMS).fill(0));
    const corrections = [...adapters.corrections(windowsOf(1, () => 0)[0]!)];
    expect(corrections[2]).toBe(0);
    expect(corrections[3]).not.toBe(0);
  });

  it('let one wild device neither move the others nor itself by more than two tolerances', () => {
    const calm = new VersionAdapters();
    const wild = new VersionAdapters();
    const errors = (device: number): number => (device === 0 ? 0 : 0.3);
    const calmOnes = play(calm, windowsOf(80, errors)).at(-1)?.corrections ?? [];
    const wildOnes =
      play(
        wild,
        windowsOf(80, (device, at) => (device === 0 ? (at % 2 === 0 ? 1e6 : -50) : errors(device))),
      ).at(-1)?.corrections ?? [];
    expect(wildOnes.slice(1)).toEqual(calmOnes.slice(1));
    expect(Math.abs(wildOnes[0] ?? NaN)).toBeLessThanOrEqual(2);
  });

  const anything = fc.oneof(
    fc.double({ min: -5, max: 5, noNaN: true }),
    fc.constantFrom(NaN, 0, 1, -1, 1e6, -1e9, 1e300, -1e300),
  );
  const anyWindow = fc
    .array(fc.tuple(anything, anything, anything, anything), { minLength: 4, maxLength: 4 })
    .map((rows) =>
      windowOf({
        forecast: rows.map(([forecast]) => forecast),
        last: rows.map(([, last]) => last),
        before: rows.map(([, , before]) => before),
        actual: rows.map(([, , , actual]) => actual),
      }),
    );

  it('stay finite and within bounds, whatever is measured, missing or constant', () => {
    fc.assert(
      fc.property(fc.array(anyWindow, { maxLength: 30 }), (windows) => {
        const adapters = new VersionAdapters();
        for (const { corrections } of play(adapters, windows))
          for (const correction of corrections) expect(Math.abs(correction)).toBeLessThanOrEqual(2);
        const { weight, squares, gains } = adapters.save();
        for (const value of [weight, ...squares, ...gains, ...adapters.ridge.sums.save([0, 1, 2, 3])])
          expect(Number.isFinite(value)).toBe(true);
      }),
    );
  });

  it('go on to the last bit from what was saved, and as the parent that a version inherits from', () => {
    fc.assert(
      fc.property(
        fc.array(anyWindow, { maxLength: 12 }),
        fc.array(anyWindow, { maxLength: 12 }),
        (first, then) => {
          const adapters = new VersionAdapters();
          play(adapters, first);
          const restored = new VersionAdapters();
          restored.restore(structuredClone(adapters.save()));
          restored.ridge.sums.restore([0, 1, 2, 3], adapters.ridge.sums.save([0, 1, 2, 3]));
          const child = new VersionAdapters();
          child.inherit(adapters);
          const expected = play(adapters, then);
          expect(play(restored, then)).toEqual(expected);
          expect(play(child, then)).toEqual(expected);
        },
      ),
    );
  });
});
