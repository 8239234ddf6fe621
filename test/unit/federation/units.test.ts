import { featureCount, historyWindows } from '../../../core/contracts/task';
import { tallyPanel } from '../../../core/federation/panels/panel-tally';
import { collectSamples, type Samples } from '../../../core/federation/training/samples';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { addRow, emptyFeatureSums, scalingOf, writeFeatures } from '../../../core/model/features';
import { taskWith } from '../../support/task';

const WINDOWS = 60;
const DEVICES = ['a', 'b', 'c'];

/** What training sees of three devices, in another unit and with an offset; the tolerance is in that unit too. */
function samplesOf(unit: number, offset: number): Samples {
  const task = taskWith({ tolerance: unit });
  const W = task.windowMicros;
  const ring = new WindowRing(task);
  DEVICES.forEach((device, number) => {
    for (let window = 0; window < WINDOWS; window += 1) {
      const value = 20 + 4 * Math.sin(window / 5 + number) + Math.sin(window * window);
      ring.put(device, window * W, unit * value + offset, [50 + window / 10, null]);
    }
  });
  const sums = emptyFeatureSums(task);
  const row = new Float32Array(featureCount(task));
  for (const device of DEVICES) {
    const series = ring.seriesUntil(device, (WINDOWS - 1) * W, WINDOWS);
    for (let latest = historyWindows(task); latest < WINDOWS; latest += 1)
      if (writeFeatures(task, series, latest, row, 0)) addRow(sums, row, 0);
  }
  const units = { scaling: scalingOf(task, sums), tolerance: unit };
  return collectSamples(ring, DEVICES, { until: (WINDOWS - 1) * W, windows: 30 }, units);
}

describe('the same series', () => {
  const plain = samplesOf(1, 0);
  const lags = historyWindows(taskWith({})) - 1;

  it.each([
    ['thousandths', 1e-3, 0],
    ['thousands', 1e3, 0],
    ['a meter far from zero', 1, 1.2e8],
  ])('in %s gives the same changes to learn from and to forecast', (_, unit, offset) => {
    const other = samplesOf(unit, offset);
    expect(other.count).toBe(plain.count);
    plain.y.forEach((change, at) => {
      expect(other.y[at]).toBeCloseTo(change, 5);
    });
    const inputs = plain.x.length / plain.count;
    plain.x.forEach((value, at) => {
      if (at % inputs < lags || offset === 0) expect(other.x[at]).toBeCloseTo(value, 4);
    });
  });

  it('far from zero has no level made of rounding', () => {
    const { x, count } = samplesOf(1, 1.2e8);
    const inputs = x.length / count;
    for (let row = 0; row < count; row += 1)
      expect(Math.abs(x[row * inputs + inputs - 1]!)).toBeLessThan(0.01);
  });
});

describe('a change that single precision does not hold', () => {
  it('is no sample, and leaves the others of its device', () => {
    const task = taskWith({});
    const W = task.windowMicros;
    const ring = new WindowRing(task);
    const wild = 40;
    for (let window = 0; window < WINDOWS; window += 1) {
      ring.put('a', window * W, 20 + Math.sin(window), [50, 50]);
      ring.put('b', window * W, window === wild ? 1e100 : 20 + Math.sin(window), [50, 50]);
    }
    const inputs = featureCount(task);
    const units = {
      scaling: { mean: Array<number>(inputs).fill(0), scale: Array<number>(inputs).fill(1) },
      tolerance: 1,
    };
    const range = { until: (WINDOWS - 1) * W, windows: 30 };
    const { count, y, x, device, age } = collectSamples(ring, ['a', 'b'], range, units);
    const agesOf = (index: number): number[] => [...age].filter((_, at) => device[at] === index);
    const missing = agesOf(0).filter((one) => !agesOf(1).includes(one));
    // The window itself, and the one behind it, whose change is as large.
    expect(missing).toEqual([WINDOWS - 1 - wild, WINDOWS - 2 - wild]);
    expect(count).toBe(58);
    expect([...x, ...y].every(Number.isFinite)).toBe(true);
    const { squaredError } = tallyPanel({ count, x, y, device, age }, new Float32Array(count), y);
    expect(Number.isFinite(squaredError)).toBe(true);
  });
});
