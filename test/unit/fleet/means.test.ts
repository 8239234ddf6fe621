import fc from 'fast-check';
import { windowSeries } from '../../../fleet/means';
import { planFleet, type DevicePlan, type FleetPlan } from '../../../fleet/plan';
import { counting, recordedSeries, spread, weather } from './synthetic';

const plan = planFleet(weather(), { seed: 4, devices: 400, liveWindows: 72, scenario: 'everyday' });
/** A device whose every reading can be computed by hand. */
const plain = (device: DevicePlan): DevicePlan => ({
  ...device,
  fault: 'none',
  character: { ...device.character, gain: 1, offset: 0, thermalLag: 1 },
});
const withFault = (fleet: FleetPlan, fault: DevicePlan['fault']): DevicePlan => ({
  ...plain(fleet.devices[0]!),
  fault,
});

describe('the true value of a window', () => {
  it('depends on the window alone, not on the range asked for', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 399 }),
        fc.integer({ min: -361, max: 71 }),
        fc.integer({ min: 1, max: 100 }),
        (index, from, count) => {
          const device = plan.devices[index]!;
          const range = windowSeries(plan, device, from, count);
          const last = windowSeries(plan, device, from + count - 1, 1);
          expect(last.target[0]).toBe(range.target[count - 1]);
          expect(last.covariates.map((means) => means[0])).toEqual(
            range.covariates.map((means) => means[count - 1]),
          );
        },
      ),
    );
  });

  it('is the recorded one with a little noise for a device without character', () => {
    const fleet = planFleet(counting(9_000), { seed: 1, devices: 1, liveWindows: 60 });
    const device = plain(fleet.devices[0]!);
    const { target, covariates } = windowSeries(fleet, device, -100, 150);
    const errors = [...target].map((value, index) => value - (device.before.step - 100 + index));
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(0.7);
    expect(spread(errors)).toBeCloseTo(0.15, 1);
    expect(covariates[0]![100]).toBe(50 + (device.before.step % 10));
    expect(covariates[1]![100]).toBe(1_000 + (device.before.step % 7));
  });

  it('goes part of the way with a thermal lag', () => {
    const fleet = planFleet(counting(9_000), { seed: 1, devices: 1, liveWindows: 60 });
    const device = plain(fleet.devices[0]!);
    const lagging = { ...device, character: { ...device.character, thermalLag: 0.5 } };
    // On a ramp of 1 a window a first-order lag l stays (1 − l)/l behind.
    const behind = windowSeries(fleet, device, 0, 50).target.map(
      (value, index) => value - windowSeries(fleet, lagging, index, 1).target[0]!,
    );
    for (const difference of behind) expect(difference).toBeCloseTo(1, 5);
  });

  it('is missing where nothing was recorded, and comes back afterwards', () => {
    const holed = recordedSeries('holed', (step) => (step % 500 < 10 ? Number.NaN : 20), 9_000);
    const fleet = planFleet({ ...counting(1), series: [holed] }, { seed: 1, devices: 1, liveWindows: 200 });
    const { target } = windowSeries(fleet, fleet.devices[0]!, -361, 561);
    const missing = target.filter(Number.isNaN).length;
    expect(missing).toBeGreaterThanOrEqual(10);
    expect(missing).toBeLessThanOrEqual(20);
  });

  it('goes on at the beginning of the recording when a fleet plays past its end', () => {
    const fleet = planFleet(counting(2_000), { seed: 1, devices: 1, liveWindows: 60 });
    const device = plain(fleet.devices[0]!);
    const wrapAt = 2_000 - device.before.step;
    expect(windowSeries(fleet, device, wrapAt + 5, 1).target[0]).toBeCloseTo(5, -1);
  });
});

describe('faults', () => {
  it('a stuck sensor stays where it was', () => {
    const { target } = windowSeries(plan, withFault(plan, 'stuck'), -361, 400);
    expect(spread([...target])).toBeLessThan(0.02);
  });

  it('a noisy one strays by degrees, a mild one by less', () => {
    const noise = (fault: DevicePlan['fault']): number => {
      const clean = windowSeries(plan, withFault(plan, 'none'), -361, 433).target;
      const broken = windowSeries(plan, withFault(plan, fault), -361, 433).target;
      return spread([...broken].map((value, index) => value - clean[index]!));
    };
    expect(noise('noisy')).toBeGreaterThan(3.5);
    expect(noise('mild-noise')).toBeGreaterThan(0.4);
    expect(noise('mild-noise')).toBeLessThan(0.8);
  });

  it('a wrong unit says °F', () => {
    const clean = windowSeries(plan, withFault(plan, 'none'), 0, 20).target;
    const wrong = windowSeries(plan, withFault(plan, 'wrong-unit'), 0, 20).target;
    wrong.forEach((value, index) => {
      expect(value).toBeCloseTo(clean[index]! * 1.8 + 32, 8);
    });
  });

  it('spikes are rare and far', () => {
    const clean = windowSeries(plan, withFault(plan, 'none'), 0, 3_000).target;
    const spiky = windowSeries(plan, withFault(plan, 'spikes'), 0, 3_000).target;
    const hit = [...spiky].filter((value, index) => Math.abs(value - clean[index]!) > 0.5);
    expect(hit.length).toBeGreaterThan(10);
    expect(hit.length).toBeLessThan(60);
  });
});

describe('changes', () => {
  const fleet = (scenario: FleetPlan['scenario']): FleetPlan =>
    planFleet(counting(9_000), { seed: 1, devices: 40, liveWindows: 72, scenario });

  it('clock plays two recorded steps a window from the change on', () => {
    const clock = fleet('clock');
    const { target } = windowSeries(clock, plain(clock.devices[0]!), 0, 72);
    const pace = (from: number): number => (target[from + 20]! - target[from]!) / 20;
    expect(pace(10)).toBeCloseTo(1, 1);
    expect(pace(45)).toBeCloseTo(2, 1);
  });

  it('recal multiplies everything a device says', () => {
    const recal = fleet('recal');
    const still = fleet('stationary');
    const met = recal.devices.findIndex(({ after }) => after.gain === 1.5);
    const [changed, before] = [recal, still].map(
      (each) => windowSeries(each, plain(each.devices[met]!), 0, 72).target,
    );
    expect(changed![35]).toBe(before![35]);
    expect(changed![36]).toBeCloseTo(before![36]! * 1.5, 8);
  });

  it('season can be read as if it had always been warm, for lags without a jump', () => {
    const season = planFleet(weather(), { seed: 1, devices: 5, liveWindows: 72, scenario: 'season' });
    const device = plain(season.devices[0]!);
    const lived = windowSeries(season, device, 0, 72).target;
    const settled = windowSeries(season, device, 0, 72, 'settled').target;
    expect([...settled.slice(36)]).toEqual([...lived.slice(36)]);
    const jump = (values: Float64Array): number => Math.abs(values[36]! - values[35]!);
    expect(jump(lived)).toBeGreaterThan(10);
    expect(jump(settled)).toBeLessThan(3);
  });
});
