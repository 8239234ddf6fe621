import fc from 'fast-check';
import { toleranceOf, WindowChanges } from '../../../core/ingest/window-changes';
import { planDeployment } from '../../../core/contracts/deployment-file';
import * as yaml from 'yaml';
import { parseDeploymentFile } from '../../../core/platform/deployment-file';
import { microsOfText } from '../../../core/contracts/timestamps';

const MINUTE = 60_000_000;
const START = microsOfText('2026-01-01');

const fleetOf = (target: string): WindowChanges =>
  new WindowChanges(
    planDeployment(parseDeploymentFile(`target: {sensor: a${target}}\nwindow: 1m`, 'test', yaml)).settings,
  );

/** One reading at the start of each window; `undefined` = none. */
function play(changes: WindowChanges, deviceId: string, values: readonly (number | undefined)[]): void {
  for (const [at, value] of values.entries())
    if (value !== undefined) changes.add({ deviceId, micros: START + at * MINUTE, values: [value] });
}

describe('changes from window to window', () => {
  it('are those of a device whose windows follow one another', () => {
    const changes = fleetOf('');
    play(changes, 'one', [1, 2, undefined, 10]);
    play(changes, 'other', [5, 5.5]);
    expect([...changes.sorted()]).toEqual([0.5, 1]);
  });

  it('are between means', () => {
    const changes = fleetOf('');
    for (const [at, value] of [1, 3].entries())
      changes.add({ deviceId: 'one', micros: START + at, values: [value] });
    changes.add({ deviceId: 'one', micros: START + MINUTE, values: [7] });
    expect([...changes.sorted()]).toEqual([5]);
  });

  it('leave out what is no reading of the fleet', () => {
    const changes = fleetOf(', min: 0, max: 50, missing: [13]');
    play(changes, 'one', [1, -1, 51, 13, NaN, 2, 4]);
    changes.add({ deviceId: 'one', micros: 0, values: [1] });
    changes.add({ deviceId: 'one', micros: MINUTE, values: [9] });
    expect([...changes.sorted()]).toEqual([2]);
  });
});

describe('a measured tolerance', () => {
  it.each([
    [[1, 2, 4], 2],
    [[1, 2], 1.5],
    [[0.12345], 0.12],
    [[1_234.5], 1_200],
    [[], NaN],
  ])('of %j is %d: the median, with two significant digits', (sorted, tolerance) => {
    expect(toleranceOf(Float64Array.from(sorted))).toBe(tolerance);
  });

  it('has the unit of the readings: a thousand times as large for a thousand times as large ones', () => {
    const positive = fc.double({ min: 0.01, max: 1_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(positive, { minLength: 1 }), (values) => {
        const sorted = Float64Array.from(values).sort();
        const scaled = toleranceOf(sorted.map((value) => value * 1_000)) / 1_000;
        // A product may fall to the other side of a rounding.
        expect(Math.abs(scaled - toleranceOf(sorted)) / scaled).toBeLessThan(0.1 + 1e-9);
      }),
    );
  });
});
