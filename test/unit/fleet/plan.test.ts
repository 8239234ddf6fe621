import fc from 'fast-check';
import { FedloopError } from '../../../core/contracts/errors';
import { FAULTS } from '../../../fleet/faults';
import { planFleet, type FleetPlan } from '../../../fleet/plan';
import { SCENARIOS } from '../../../fleet/settings';
import { recordedSeries, weather } from './synthetic';

const recording = weather();
const hintOf = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof FedloopError) return thrown.hint;
  }
  return undefined;
};
const share = (plan: FleetPlan, chosen: (device: FleetPlan['devices'][number]) => boolean): number =>
  plan.devices.filter(chosen).length / plan.devices.length;

describe('a plan', () => {
  it('is the same for the same seed and another one for another', () => {
    const options = { devices: 40, liveWindows: 60 };
    const made = (seed: number): unknown =>
      planFleet(recording, { ...options, seed }).devices.map(({ series, ...rest }) => ({
        series: series.id,
        ...rest,
      }));
    expect(made(7)).toEqual(made(7));
    expect(made(7)).not.toEqual(made(8));
  });

  it('gives device number n the same character however many devices there are', () => {
    const [few, many] = [10, 400].map((devices) =>
      planFleet(recording, { seed: 1, devices, liveWindows: 60 }),
    );
    expect(few!.devices[9]!.character).toEqual(many!.devices[9]!.character);
    expect(few!.devices[9]!.before).toEqual(many!.devices[9]!.before);
  });

  it('names devices after their series, uniquely and harmlessly', () => {
    const odd = { ...recording, series: [recordedSeries('../a b,"c"', () => 1, 9_000)] };
    const ids = planFleet(odd, { seed: 1, devices: 30, liveWindows: 60 }).devices.map(({ id }) => id);
    expect(ids[3]).toBe('..-a-b-c--00003');
    expect(new Set(ids).size).toBe(30);
  });

  it('shares out slots and series evenly', () => {
    const { devices } = planFleet(recording, { seed: 1, devices: 1_000, liveWindows: 60 });
    const places = new Map<string, number>();
    for (const { slot, series } of devices) {
      const place = `${slot}/${series.id}`;
      places.set(place, (places.get(place) ?? 0) + 1);
    }
    expect(Math.max(...places.values()) - Math.min(...places.values())).toBeLessThanOrEqual(1);
  });
});

describe('at independent hours', () => {
  it.each(SCENARIOS)('no device’s live hours lie in another’s past (%s)', (scenario) => {
    const plan = planFleet(recording, { seed: 3, devices: 200, liveWindows: 72, scenario });
    const spans = new Map<number, { past: [number, number]; live: [number, number][] }>();
    for (const { slot, before, after } of plan.devices) {
      const known = spans.get(slot);
      const liveEnd = after.step + (plan.liveWindows - plan.changeWindow) * 2;
      const own: { past: [number, number]; live: [number, number][] } = {
        past: [before.step - plan.historyWindows, before.step],
        live: [
          [before.step, before.step + plan.changeWindow],
          [after.step, liveEnd],
        ],
      };
      // Within a slot everyone is at the same hour.
      if (known !== undefined) expect(own.past).toEqual(known.past);
      spans.set(slot, own);
    }
    for (const [slot, { live }] of spans) {
      for (const [other, { past }] of spans) {
        if (slot === other) continue;
        for (const [from, until] of live) expect(until <= past[0] || from >= past[1]).toBe(true);
      }
    }
  });

  it('slots begin at many hours of the day', () => {
    const { devices } = planFleet(weather(1, 4), { seed: 1, devices: 500, liveWindows: 60 });
    expect(new Set(devices.map(({ before }) => before.step % 24)).size).toBeGreaterThan(12);
  });

  it('avoids stretches that were hardly recorded', () => {
    const holes = recordedSeries('holes', (step) => (step < 9_000 ? Number.NaN : 1), 17_520);
    const plan = planFleet({ ...recording, series: [holes] }, { seed: 1, devices: 50, liveWindows: 60 });
    expect(Math.min(...plan.devices.map(({ before }) => before.step - plan.historyWindows))).toBeGreaterThan(
      8_950,
    );
  });

  it('manages with four motes of 4,690 readings', () => {
    const motes = {
      ...recording,
      series: [0, 1, 2, 3].map((id) => recordedSeries(`mote${id}`, () => 20, 4_690)),
    };
    const plan = planFleet(motes, { seed: 1, devices: 100, liveWindows: 120 });
    expect(new Set(plan.devices.map(({ slot }) => slot)).size).toBeGreaterThanOrEqual(4);
  });

  it('says what to do when the data is too short', () => {
    const short = { ...recording, series: [recordedSeries('short', () => 20, 900)] };
    const plan = (): unknown => planFleet(short, { seed: 1, devices: 10, liveWindows: 60 });
    expect(plan).toThrow(/spans 900 steps of 1 h, and a run of 445 steps at independent hours takes 1780/);
    expect(plan).toThrow(FedloopError);
    expect(hintOf(plan)).toMatch(/--clock shared, which takes 445/);
  });
});

describe('on a shared clock', () => {
  it('all devices are at the same hour, in one slot', () => {
    const { devices } = planFleet(recording, { seed: 5, devices: 100, liveWindows: 60, clock: 'shared' });
    expect(new Set(devices.map(({ before }) => before.step)).size).toBe(1);
    expect(new Set(devices.map(({ slot }) => slot)).size).toBe(1);
    expect(new Set(devices.map(({ series }) => series.id)).size).toBe(3);
  });

  it('needs one run alone, and says so when even that is missing', () => {
    const of = (steps: number): unknown =>
      planFleet(
        { ...recording, series: [recordedSeries('short', () => 20, steps)] },
        { seed: 1, devices: 10, liveWindows: 60, clock: 'shared' },
      );
    expect(of(445)).toBeDefined();
    expect(() => of(444)).toThrow(/too short/);
  });
});

describe('scenarios', () => {
  const plan = (scenario: FleetPlan['scenario']): FleetPlan =>
    planFleet(recording, { seed: 2, devices: 4_000, liveWindows: 72, scenario });

  it('everyday has a few of every fault and four healthy devices in five', () => {
    const everyday = plan('everyday');
    expect(share(everyday, ({ fault }) => fault === 'none')).toBeCloseTo(0.8, 1);
    for (const fault of FAULTS)
      expect(share(everyday, (device) => device.fault === fault)).toBeGreaterThan(0.005);
  });

  it('stationary has mild faults alone, faults has broken sensors', () => {
    expect(new Set(plan('stationary').devices.map(({ fault }) => fault))).toEqual(
      new Set(['none', 'mild-noise', 'mild-gain', 'spikes']),
    );
    expect(new Set(plan('faults').devices.map(({ fault }) => fault))).toEqual(
      new Set(['none', 'stuck', 'noisy', 'wrong-unit']),
    );
  });

  it('clock speeds everybody up at the change, clock-half one in two', () => {
    expect(share(plan('clock'), ({ after }) => after.speed === 2)).toBe(1);
    expect(share(plan('clock-half'), ({ after }) => after.speed === 2)).toBeCloseTo(0.5, 1);
    expect(share(plan('clock'), ({ before }) => before.speed === 2)).toBe(0);
  });

  it('recal changes the gain of two in five', () => {
    expect(share(plan('recal'), ({ after }) => after.gain === 1.5)).toBeCloseTo(0.4, 1);
  });

  it('season moves everybody from the coldest stretches to the warmest, at the same hour of the day', () => {
    for (const { series, before, after } of plan('season').devices) {
      const mean = (from: number): number =>
        series.target.subarray(from, from + 24).reduce((sum, value) => sum + value, 0) / 24;
      expect(mean(after.step)).toBeGreaterThan(mean(before.step) + 8);
      expect(Math.abs((after.step - before.step - 36) % 24)).toBe(0);
    }
  });

  it.each([
    ['attack', -1, 0.05],
    ['attack', 10, 0.05],
    ['attack-30', -1, 0.3],
    ['attack-scaled', -10, 0.1],
    ['stationary', 1, 1],
  ] as const)('%s multiplies updates by %d at a share of %d', (scenario, factor, part) => {
    expect(share(plan(scenario), ({ updateFactor }) => updateFactor === factor)).toBeCloseTo(part, 1);
  });

  it('differ in the change alone: character and place are the same', () => {
    fc.assert(
      fc.property(fc.nat({ max: 99 }), (index) => {
        const [still, recal] = [plan('stationary').devices[index]!, plan('recal').devices[index]!];
        expect(recal.character).toEqual(still.character);
        expect(recal.before).toEqual(still.before);
      }),
      { numRuns: 5 },
    );
  });
});
