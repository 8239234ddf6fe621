import fc from 'fast-check';
import {
  DEFAULT_TASK,
  featureCount,
  historyWindows,
  type Task,
  taskSchema,
} from '../../../core/contracts/task';
import { type StreamSettings } from '../../../core/contracts/settings';
import { versionIdSchema } from '../../../core/contracts/ids';
import { collectSamples } from '../../../core/federation/training/samples';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { type ForecastRequest } from '../../../core/stream/forecasts/forecaster';
import { Driver, noChange, reading, SETTINGS, WINDOW } from './support';

const V1 = versionIdSchema.parse('v1');

function taskOf(holds: { readonly target?: number; readonly humidity?: number }): Task {
  const hold = (windows: number | undefined): object =>
    windows === undefined || windows === 0 ? {} : { holdMicros: windows * WINDOW };
  const [humidity, pressure] = DEFAULT_TASK.covariates;
  return taskSchema.parse({
    ...DEFAULT_TASK,
    lags: 6,
    target: { ...DEFAULT_TASK.target, ...hold(holds.target) },
    covariates: [{ ...humidity, ...hold(holds.humidity) }, pressure],
  });
}

function driverOf(task: Task): { readonly driver: Driver; readonly requests: ForecastRequest[] } {
  const requests: ForecastRequest[] = [];
  const settings: StreamSettings = { ...SETTINGS, task };
  const driver = new Driver(settings, (request) => {
    requests.push({ ...request, features: request.features.slice() });
    return noChange(request);
  });
  driver.engine.activate(V1, 0.5, null);
  return { driver, requests };
}

/** One reading in each of these windows. */
async function play(driver: Driver, windows: readonly number[]): Promise<void> {
  for (const window of windows)
    await driver.feed(reading('a', window * 30 + 5, 20 + window, { humidity: 40 + window }));
  await driver.flush();
}

describe('a sensor that sends on change', () => {
  it('is forecast while its last reading holds, and evaluated only where readings came', async () => {
    const { driver, requests } = driverOf(taskOf({ target: 3 }));
    await play(driver, [0, 2, 5, 8, 9]);
    // From window 5 on five of the six windows before are there or held, the latest among them.
    expect(requests.map(({ window }) => window / WINDOW)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(driver.evaluations().map(({ start }) => start / WINDOW)).toEqual([5, 8, 9]);
    // Persistence forecasts what is held.
    expect(driver.evaluations()[1]).toMatchObject({ prediction_result: 25, persistence_error: -3 });
    expect(driver.rows().map(({ start }) => start / WINDOW)).toEqual([0, 2, 5, 8, 9]);
  });

  it('is not forecast any more once its last reading is older', async () => {
    const { driver, requests } = driverOf(taskOf({ target: 3 }));
    for (const window of [0, 1, 2, 3, 4, 5]) await driver.feed(reading('a', window * 30 + 5, 20));
    await driver.feed(reading('b', 12 * 30));
    await driver.feed(reading('b', 13 * 30));
    await driver.feed(reading('a', 13 * 30));
    await driver.flush();
    // The newest window of a is 5: held to 8, so 9 is the last that is forecast.
    expect(Math.max(...requests.map(({ window }) => window / WINDOW))).toBe(9);
  });

  it('without a hold is left as it is: no forecast after a window without readings', async () => {
    const { driver, requests } = driverOf(taskOf({}));
    await play(driver, [0, 1, 2, 3, 4, 5, 7, 8]);
    expect(requests.map(({ window }) => window / WINDOW)).not.toContain(7);
  });

  it('lends a covariate its last mean, sensor by sensor', async () => {
    const { driver, requests } = driverOf(taskOf({ humidity: 2 }));
    for (let window = 0; window < 9; window += 1) {
      const humidity = window === 5 ? { humidity: 45, pressure: 1_000 } : {};
      await driver.feed(reading('a', window * 30 + 5, 20, humidity));
    }
    await driver.flush();
    const of = (window: number, feature: number): number =>
      requests.find((request) => request.window === window * WINDOW)!.features[feature]!;
    const { lags } = taskOf({});
    expect([6, 7, 8, 9].map((window) => of(window, lags))).toEqual([45, 45, 45, NaN]);
    expect([6, 7].map((window) => of(window, lags + 2))).toEqual([1_000, NaN]);
  });

  it('trains on the features that it is forecast from', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 0, max: 4 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 10, maxLength: 35 }),
        async (target, humidity, some) => {
          const task = taskOf({ target, humidity });
          const windows = [...some].sort((a, b) => a - b);
          const { driver, requests } = driverOf(task);
          await play(driver, windows);
          const ring = new WindowRing(task);
          for (const { start, device_id, avg, humidity_avg } of driver.rows())
            ring.put(device_id, start, avg, [Number(humidity_avg), null]);
          const inputs = featureCount(task);
          const scaling = {
            mean: new Array<number>(inputs).fill(0),
            scale: new Array<number>(inputs).fill(1e6),
          };
          const evaluated = new Set(driver.evaluations().map(({ start }) => start));
          const newest = windows.at(-1)! * WINDOW;
          const samples = collectSamples(
            ring,
            ['a'],
            { until: newest, windows: 40 },
            { scaling, tolerance: 1 },
          );
          const learned = new Map(
            Array.from({ length: samples.count }, (_, at) => [
              newest - samples.age[at]! * WINDOW,
              [...samples.x.subarray(at * inputs, (at + 1) * inputs)],
            ]),
          );
          expect([...learned.keys()].sort((a, b) => a - b)).toEqual([...evaluated].sort((a, b) => a - b));
          for (const { window, features } of requests.filter((request) => evaluated.has(request.window)))
            learned.get(window)!.forEach((value, feature) => {
              const live = features[feature]!;
              expect(value * 1e6).toBeCloseTo(Number.isNaN(live) ? 0 : live, 3);
            });
        },
      ),
      { numRuns: 40 },
    );
    expect(historyWindows(taskOf({}))).toBe(7);
  });
});
