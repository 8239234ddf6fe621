import fc from 'fast-check';
import {
  addRow,
  emptyFeatureSums,
  mergeFeatureSums,
  scaleFeatures,
  scalingOf,
  writeFeatures,
} from '../../../core/model/features';
import { type DeviceSeries } from '../../../core/model/types';
import { FEATURES } from '../../support/task';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const NOTHING = -999;

function series(windows: number, fill: (window: number) => number): DeviceSeries {
  return {
    target: Float64Array.from({ length: windows }, (_, window) => fill(window)),
    covariates: [
      Float64Array.from({ length: windows }, (_, window) => 40 + window),
      Float64Array.from({ length: windows }, (_, window) => 1000 + 2 * window),
    ],
  };
}

function featuresOf(device: DeviceSeries, latest: number): Float32Array | undefined {
  const out = new Float32Array(FEATURES).fill(NOTHING);
  return writeFeatures(DEFAULT_TASK, device, latest, out, 0) ? out : undefined;
}

describe('features', () => {
  const squares = series(40, (window) => window * window);

  it('are 24 changes of the mean, newest first, humidity, its change, pressure, its change, and the level', () => {
    const features = featuresOf(squares, 30)!;
    expect([...features.subarray(0, 24)]).toEqual(Array.from({ length: 24 }, (_, lag) => 2 * (30 - lag) - 1));
    expect([...features.subarray(24)]).toEqual([70, 1, 1060, 2, 900]);
  });

  it('are written where they belong and nowhere else', () => {
    const out = new Float32Array(3 * FEATURES).fill(NOTHING);
    expect(writeFeatures(DEFAULT_TASK, squares, 30, out, FEATURES)).toBe(true);
    expect(out.subarray(0, FEATURES).every((value) => value === NOTHING)).toBe(true);
    expect(out.subarray(FEATURES, 2 * FEATURES)).toEqual(featuresOf(squares, 30));
    expect(out.subarray(2 * FEATURES).every((value) => value === NOTHING)).toBe(true);
  });

  it('use nothing of the windows after the latest', () => {
    const other = series(40, (window) => (window > 30 ? NaN : window * window));
    expect(featuresOf(other, 30)).toEqual(featuresOf(squares, 30));
  });

  it('mark with NaN the changes on both sides of a missing window', () => {
    const gap = series(40, (window) => (window === 27 ? NaN : window));
    const features = featuresOf(gap, 30)!;
    const missing = [...features.keys()].filter((at) => Number.isNaN(features[at]!));
    expect(missing).toEqual([2, 3]);
  });

  it('do without humidity and pressure', () => {
    const missing = new Float64Array(40).fill(NaN);
    const dry = { ...squares, covariates: [missing, missing] };
    const features = featuresOf(dry, 30)!;
    expect([...features.keys()].filter((at) => Number.isNaN(features[at]!))).toEqual([24, 25, 26, 27]);
  });

  it('need the latest mean and 20 of the last 24', () => {
    const without = (missing: readonly number[]): DeviceSeries =>
      series(40, (window) => (missing.includes(window) ? NaN : window));
    expect(featuresOf(without([29, 28, 20, 10]), 30)).toBeDefined();
    expect(featuresOf(without([29, 28, 20, 10, 7]), 30)).toBeUndefined();
    expect(featuresOf(without([29, 28, 20, 10, 6]), 30)).toBeDefined();
    expect(featuresOf(without([30]), 30)).toBeUndefined();
    expect(featuresOf(squares, 18)).toBeUndefined();
    expect(featuresOf(squares, 19)).toBeDefined();
    expect(featuresOf(squares, 40)).toBeUndefined();
  });
});

describe('the scaling of features', () => {
  it('clips at ±4 and puts 0 where a value is missing', () => {
    const x = Float32Array.of(3, NaN, -100, 100, 7, Infinity);
    scaleFeatures(x, 3, { mean: [1, 5], scale: [2, 1] });
    expect([...x]).toEqual([1, 0, -4, 4, 3, 4]);
  });

  it('takes levels by mean and standard deviation, differences by root mean square around 0', () => {
    const sums = emptyFeatureSums(DEFAULT_TASK);
    const rows = [1, 3].map((value) => new Float32Array(FEATURES).fill(value));
    for (const row of rows) addRow(sums, row, 0);
    const { mean, scale } = scalingOf(DEFAULT_TASK, sums);
    expect([mean[0], mean[24], mean[25], mean[26], mean[27], mean[28]]).toEqual([0, 2, 0, 2, 0, 2]);
    expect([scale[24], scale[26], scale[28]]).toEqual([1, 1, 1]);
    expect(scale[0]).toBeCloseTo(Math.sqrt(5), 12);
    expect(scale[25]).toBeCloseTo(Math.sqrt(5), 12);
  });

  it('leaves a feature alone that never came or never varied', () => {
    const sums = emptyFeatureSums(DEFAULT_TASK);
    const row = new Float32Array(FEATURES).fill(1013.25);
    row.fill(0, 0, 24);
    row[24] = NaN;
    for (let time = 0; time < 1000; time += 1) addRow(sums, row, 0);
    const { mean, scale } = scalingOf(DEFAULT_TASK, sums);
    expect([mean[24], scale[24]]).toEqual([0, 1]);
    expect(mean[26]).toBeCloseTo(1013.25, 9);
    expect(scale[26]).toBe(1);
    expect(scale[0]).toBe(1);
  });

  it('is the same from the sums of several sites as from those of one', () => {
    const value = fc.oneof(fc.float({ min: -100, max: 100, noNaN: true }), fc.constant(NaN));
    const rows = fc.array(fc.array(value, { minLength: FEATURES, maxLength: FEATURES }), { maxLength: 12 });
    fc.assert(
      fc.property(rows, fc.nat(12), (all, cut) => {
        const sumsOf = (part: readonly number[][]): ReturnType<typeof emptyFeatureSums> => {
          const sums = emptyFeatureSums(DEFAULT_TASK);
          for (const row of part) addRow(sums, Float32Array.from(row), 0);
          return sums;
        };
        const merged = scalingOf(
          DEFAULT_TASK,
          mergeFeatureSums(sumsOf(all.slice(0, cut)), sumsOf(all.slice(cut))),
        );
        const whole = scalingOf(DEFAULT_TASK, sumsOf(all));
        merged.mean.forEach((mean, at) => {
          expect(mean).toBeCloseTo(whole.mean[at]!, 9);
        });
        merged.scale.forEach((scale, at) => {
          expect(scale).toBeGreaterThan(0);
          expect(scale).toBeCloseTo(whole.scale[at]!, 6);
        });
      }),
      { numRuns: 50 },
    );
  });
});
