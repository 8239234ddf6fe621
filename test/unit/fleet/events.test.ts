import { eventText } from '../../../fleet/event-text';
import { windowEvents, type FleetEvent } from '../../../fleet/events';
import { windowSeries } from '../../../fleet/means';
import { planFleet, type DevicePlan, type FleetPlan } from '../../../fleet/plan';
import { deviceIdSchema } from '../../../core/contracts/ids';
import { GRID, recordedSeries, spread, weather, withoutPressure } from './synthetic';
import { DEFAULT_TASK } from '../../../core/contracts/task';

interface Event {
  readonly device_id: string;
  readonly timestamp: string;
  readonly temperature: number;
  readonly humidity?: number;
  readonly pressure?: number;
  readonly label?: number;
}
const parsed = ({ value }: FleetEvent): Event => JSON.parse(value.toString('utf8')) as Event;

const everyday = planFleet(weather(), { seed: 9, devices: 300, liveWindows: 72, scenario: 'everyday' });
/** The same fleet with one fault everywhere. */
const all = (fault: DevicePlan['fault']): FleetPlan => ({
  ...everyday,
  devices: everyday.devices.slice(0, 40).map((device) => ({
    ...device,
    fault,
    character: { ...device.character, clockOffset: 0.2, clockDrift: 0.01 },
  })),
});
const windowMillis = GRID.windowMicros / 1_000;
const startMillis = GRID.liveStart / 1_000;

describe('events of a window', () => {
  it('are the same whenever they are made', () => {
    const texts = (): string[] => windowEvents(everyday, GRID, 5).map(({ value }) => value.toString());
    expect(texts()).toEqual(texts());
  });

  it('come in the order of sending, all within the window', () => {
    const sent = windowEvents(everyday, GRID, 5).map(({ sentMillis }) => sentMillis);
    expect(sent).toEqual([...sent].sort((left, right) => left - right));
    expect(sent[0]).toBeGreaterThanOrEqual(startMillis + 5 * windowMillis);
    expect(sent.at(-1)).toBeLessThan(startMillis + 6 * windowMillis);
  });

  it('are at least twelve readings a healthy device, at different times', () => {
    const events = windowEvents(all('none'), GRID, 0).map(parsed);
    for (const { id } of all('none').devices) {
      const times = events.filter(({ device_id }) => device_id === id).map(({ timestamp }) => timestamp);
      expect(new Set(times).size).toBe(12);
    }
  });

  it('scatter around the window’s true mean', () => {
    const plan = all('none');
    const events = windowEvents(plan, { ...GRID, readings: 200 }, 3).map(parsed);
    for (const device of plan.devices) {
      const own = events
        .filter(({ device_id }) => device_id === device.id)
        .map(({ temperature }) => temperature);
      const truth = windowSeries(plan, device, 3, 1).target[0]!;
      expect(own.reduce((sum, value) => sum + value, 0) / own.length).toBeCloseTo(truth, 0);
      expect(spread(own)).toBeGreaterThan(0.05);
      expect(spread(own)).toBeLessThan(0.4);
    }
  });

  it('never lead towards the next window: early and late readings have the same mean', () => {
    const ramp = { ...weather(1), series: [recordedSeries('ramp', (step) => step * 3, 9_000)] };
    const plan = planFleet(ramp, { seed: 1, devices: 1, liveWindows: 60, scenario: 'stationary' });
    const temperatures = windowEvents(plan, { ...GRID, readings: 400 }, 1).map(
      (event) => parsed(event).temperature,
    );
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(temperatures.slice(0, 200)) - mean(temperatures.slice(200)))).toBeLessThan(0.15);
  });

  it('leave out sensors that the recording lacks', () => {
    const bare = recordedSeries('bare', () => 20, 9_000);
    const recording = { ...weather(1), series: [withoutPressure(bare)] };
    const plan = planFleet(recording, { seed: 1, devices: 1, liveWindows: 60 });
    expect(Object.keys(parsed(windowEvents(plan, GRID, 0)[0]!))).toEqual([
      'device_id',
      'timestamp',
      'temperature',
      'humidity',
      'label',
    ]);
  });

  it('say of each reading whether it is a spike', () => {
    const events = Array.from({ length: 60 }, (_, window) => windowEvents(all('spikes'), GRID, window))
      .flat()
      .map(parsed);
    const labels = events.map(({ label }) => label);
    expect(new Set(labels)).toEqual(new Set([0, 1]));
    expect(windowEvents(all('noisy'), GRID, 0).every((event) => parsed(event).label === 0)).toBe(true);
  });

  it('are none from a device whose recording has a gap there', () => {
    const holed = recordedSeries('holed', (step) => (step % 500 < 20 ? Number.NaN : 20), 9_000);
    const plan = planFleet({ ...weather(1), series: [holed] }, { seed: 1, devices: 1, liveWindows: 600 });
    const { target } = windowSeries(plan, plan.devices[0]!, 0, 600);
    const silent = target.findIndex(Number.isNaN);
    expect(silent).toBeGreaterThanOrEqual(0);
    expect(windowEvents(plan, GRID, silent)).toEqual([]);
  });

  it('carry the recorded label where the data has one', () => {
    const marked = { ...recordedSeries('marked', () => 20, 9_000), label: new Uint8Array(9_000).fill(1) };
    const plan = planFleet({ ...weather(1), series: [marked] }, { seed: 1, devices: 1, liveWindows: 60 });
    expect(windowEvents(plan, GRID, 0).every((event) => parsed(event).label === 1)).toBe(true);
  });
});

describe('a fleet as it was recorded', () => {
  const recording = {
    ...weather(1),
    series: ['a', 'b', 'c'].map((name, at) => recordedSeries(name, (step) => at + (step % 50) / 4, 9_000)),
  };
  const plan = planFleet(recording, { seed: 1, devices: 100, liveWindows: 60, asRecorded: true });

  it('has one device a series, under its own name', () => {
    expect(plan.devices.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c']);
  });

  it('sends each recorded value once, unchanged', () => {
    const events = windowEvents(plan, GRID, 7).map(parsed);
    const recorded = plan.devices.map(({ id, series, before }) => ({
      id,
      temperature: series.target[before.step + 7],
    }));
    expect(events.map(({ device_id: id, temperature }) => ({ id, temperature }))).toEqual(recorded);
  });
});

describe('faulty senders', () => {
  it('a drifting clock shows in the event, not in the record', () => {
    const events = windowEvents(all('drifting-clock'), GRID, 10);
    for (const event of events) {
      const error = event.eventMillis - event.sentMillis;
      expect(parsed(event).timestamp).toBe(new Date(event.eventMillis).toISOString());
      expect(error).toBeGreaterThan(0.29 * windowMillis);
      expect(error).toBeLessThan(0.32 * windowMillis);
    }
  });

  it('duplicates are the same bytes again, a moment later', () => {
    const events = windowEvents(all('duplicates'), GRID, 0);
    const seen = new Set<string>();
    const again = events.filter(({ value }) => seen.size === seen.add(value.toString()).size);
    expect(again.length).toBeGreaterThan(20);
    expect(events.length - again.length).toBe(40 * 12);
  });

  it('late sends lose nothing: within four windows everything has come', () => {
    const windows = Array.from({ length: 14 }, (_, window) => windowEvents(all('late'), GRID, window)).flat();
    const ofWindow = (window: number): FleetEvent[] =>
      windows.filter(({ eventMillis }) => Math.floor((eventMillis - startMillis) / windowMillis) === window);
    for (let window = 0; window < 10; window += 1) expect(ofWindow(window)).toHaveLength(40 * 12);
    const delays = windows.map(({ sentMillis, eventMillis }) => sentMillis - eventMillis);
    expect(Math.max(...delays)).toBeGreaterThan(2 * windowMillis);
    expect(delays.filter((delay) => delay > 0).length / delays.length).toBeCloseTo(0.15, 1);
  });

  it('spikes are labelled, reach further than the mean, and move it by the plan’s amount', () => {
    const plan = all('spikes');
    const healthy = all('none');
    let hits = 0;
    for (let window = 0; window < 20; window += 1) {
      const events = windowEvents(plan, GRID, window);
      plan.devices.forEach((device, index) => {
        const moved =
          windowSeries(plan, device, window, 1).target[0]! -
          windowSeries(healthy, healthy.devices[index]!, window, 1).target[0]!;
        const own = events.filter(({ device: { index: sender } }) => sender === index).map(parsed);
        const labelled = own.filter(({ label }) => label === 1);
        expect(labelled).toHaveLength(moved === 0 ? 0 : 3);
        if (moved === 0) return;
        hits += 1;
        const mean = own.reduce((sum, { temperature }) => sum + temperature, 0) / own.length;
        expect(Math.abs(mean - windowSeries(plan, device, window, 1).target[0]!)).toBeLessThan(0.5);
      });
    }
    expect(hits).toBeGreaterThan(0);
  });
});

it('an event’s text is JSON with two decimals', () => {
  const device = deviceIdSchema.parse('a');
  const text = eventText({
    device,
    millis: -1,
    sensors: DEFAULT_TASK,
    target: -0.004,
    covariates: [100, 999.999],
    label: false,
  });
  expect(text).toBe(
    '{"device_id":"a","timestamp":"1969-12-31T23:59:59.999Z","temperature":0.00,"humidity":100.00,"pressure":1000.00,"label":0}',
  );
  expect(JSON.parse(text)).toMatchObject({ temperature: 0, pressure: 1_000 });
});
