import { versionIdSchema } from '../../../core/contracts/ids';
import { type ForecastRequest } from '../../../core/stream/forecasts/forecaster';
import { Driver, reading, SETTINGS, WINDOW } from './support';
import { FEATURES } from '../../support/task';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const LAGS = DEFAULT_TASK.lags;
const V1 = versionIdSchema.parse('v1');
const V2 = versionIdSchema.parse('v2');

/** v1 forecasts +1 °C, v2 forecasts −1 °C; what was asked is kept. */
function scripted(): { driver: Driver; requests: ForecastRequest[] } {
  const requests: ForecastRequest[] = [];
  const driver = new Driver(SETTINGS, (request) => {
    requests.push({ ...request, features: request.features.slice() });
    return Promise.resolve(
      Float32Array.from(
        request.versions.flatMap((version) => new Array<number>(request.rows).fill(version === V1 ? 1 : -1)),
      ),
    );
  });
  return { driver, requests };
}

function seed(
  driver: Driver,
  device: string,
  newest = 10,
  windows = LAGS,
  stddev: number | null = null,
): void {
  driver.engine.seed(device, -WINDOW, {
    target: Array.from({ length: LAGS }, (_, back) => (back < windows ? newest - back * 0.5 : null)),
    covariates: [new Array<number>(LAGS).fill(50), new Array<null>(LAGS).fill(null)],
    stddev,
  });
}

/** Two readings of `device` in window `index`, round `mean`. */
async function play(driver: Driver, device: string, index: number, mean: number): Promise<void> {
  await driver.feedAll([
    reading(device, index * 30 + 1, mean - 0.25),
    reading(device, index * 30 + 2, mean + 0.25),
  ]);
}

describe('the live evaluator', () => {
  it('compares the forecast made at the close of a window with the next one, version by version', async () => {
    const { driver } = scripted();
    driver.engine.activate(V1, 0.5, null);
    driver.engine.activate(V2, 0.5, null);
    seed(driver, 'a', 10, LAGS, 0.3);
    await play(driver, 'a', 0, 11.5);
    await play(driver, 'a', 1, 11.25);
    await driver.flush();
    expect(driver.evaluations()).toMatchObject([
      {
        start: 0,
        model_version: 'v1',
        device_id: 'a',
        prediction_result: 11,
        actual_result: 11.5,
        error: -0.5,
        loss: 0.25,
        is_correct: 1,
        persistence_error: -1.5,
        regime: 'rising',
        // 2.5 · √(0.5² + 0.3²) = 1.46 °C round the forecast.
        predicted_anomaly: 0,
        actual_anomaly: null,
      },
      {
        start: 0,
        model_version: 'v2',
        prediction_result: 9,
        error: -2.5,
        loss: 6.25,
        is_correct: 0,
        predicted_anomaly: 1,
      },
      {
        start: WINDOW,
        model_version: 'v1',
        prediction_result: 12.5,
        actual_result: 11.25,
        error: 1.25,
        is_correct: 0,
        regime: 'steady',
      },
      {
        start: WINDOW,
        model_version: 'v2',
        prediction_result: 10.5,
        error: -0.75,
        is_correct: 1,
        persistence_error: 0.25,
      },
    ]);
  });

  it.each([
    ['trained', 2, true],
    ['untrained', null, false],
  ])(
    'begins a version with the errors of the one before it where that is %s',
    async (_, residuals, inherits) => {
      const { driver } = scripted();
      driver.engine.activate(V1, residuals, null);
      const devices = ['a', 'b', 'c', 'd', 'e'];
      for (const device of devices) seed(driver, device);
      // v1 says +1, and is always right; its residuals said that it would seldom be.
      for (let index = 0; index < 12; index += 1)
        for (const device of devices) await play(driver, device, index, 11 + index);
      driver.engine.activate(V2, 2, driver.engine.firstUnseenWindow(null), {
        errors_from: 'predecessor',
      });
      for (let index = 12; index < 15; index += 1)
        for (const device of devices) await play(driver, device, index, 11 + index);
      await driver.flush();
      const rows = driver.evaluations();
      const first = rows.find(({ model_version }) => model_version === 'v2');
      const beside = rows.find(
        ({ model_version, start }) => model_version === 'v1' && start === first?.start,
      );
      const [inherited, ofParent] = [Number(first?.['confidence']), Number(beside?.['confidence'])];
      expect(ofParent).toBeGreaterThan(0.7);
      // Without them it goes by its residuals: P(|x| ≤ ½ σ) = 0.38.
      if (inherits) expect(inherited).toBeCloseTo(ofParent, 9);
      else expect(inherited).toBeLessThan(0.5);
    },
  );

  it('serves what each device has learnt of its own errors, beside the forecast that the version made', async () => {
    const bias = { a: 0, b: 1.6 };
    const playedWith = async (adapters: boolean): Promise<ReturnType<Driver['evaluations']>> => {
      const { driver } = scripted();
      driver.engine.activate(V1, 0.5, null, adapters ? { adapters: 'ridge' } : {});
      for (const device of ['a', 'b']) seed(driver, device);
      // v1 says +1 each time; b rises by 2.6.
      for (let index = 0; index < 80; index += 1)
        for (const device of ['a', 'b'] as const)
          await play(driver, device, index, 11 + index * (1 + bias[device]));
      await driver.flush();
      return driver.evaluations();
    };
    const plain = await playedWith(false);
    const adapted = await playedWith(true);
    expect(plain.every((row) => row['served_result'] === null)).toBe(true);
    expect(adapted.map((row) => ({ ...row, served_result: null }))).toEqual(plain);
    const last = adapted.slice(-2);
    expect(last.map((row) => row['is_correct'])).toEqual([1, 0]);
    const servedErrors = last.map((row) =>
      Math.abs(Number(row['served_result']) - Number(row['actual_result'])),
    );
    expect(servedErrors[0]).toBeLessThan(0.05);
    expect(servedErrors[1]).toBeLessThan(0.6);
  });

  it('begins a version with the adapters of the one before it', async () => {
    const { driver } = scripted();
    driver.engine.activate(V1, 0.5, null, { adapters: 'ridge' });
    seed(driver, 'a');
    for (let index = 0; index < 60; index += 1) await play(driver, 'a', index, 11 + index * 2.6);
    const from = driver.engine.firstUnseenWindow(null);
    driver.engine.activate(V2, 0.5, from, { adapters: 'ridge' });
    for (let index = 60; index < 64; index += 1) await play(driver, 'a', index, 11 + index * 2.6);
    await driver.flush();
    const first = driver.evaluations().find(({ model_version }) => model_version === 'v2');
    expect(first?.start).toBe(from);
    expect(Number(first?.['served_result']) - Number(first?.['prediction_result'])).toBeGreaterThan(0.5);
  });

  it('counts an error of exactly the tolerance as correct', async () => {
    const { driver } = scripted();
    driver.engine.activate(V1, null, null);
    seed(driver, 'a', 10);
    await play(driver, 'a', 0, 12);
    await driver.flush();
    expect(driver.evaluations()).toMatchObject([{ error: -1, is_correct: 1, regime: 'rising' }]);
  });

  it('asks once a window, for all devices and versions', async () => {
    const { driver, requests } = scripted();
    driver.engine.activate(V1, null, null);
    driver.engine.activate(V2, null, null);
    for (const device of ['c', 'a', 'b']) seed(driver, device);
    for (const device of ['b', 'c', 'a']) await play(driver, device, 0, 10);
    for (const device of ['a', 'b']) await play(driver, device, 3, 10);
    expect(requests.map(({ window, versions, rows }) => [window, versions, rows])).toEqual([
      [0, ['v1', 'v2'], 3],
      [WINDOW, ['v1', 'v2'], 3],
    ]);
    expect(driver.evaluations().map(({ model_version, device_id }) => model_version + device_id)).toEqual([
      'v1a',
      'v1b',
      'v1c',
      'v2a',
      'v2b',
      'v2c',
    ]);
  });

  it('hands the model raw features of the lags, missing ones as NaN', async () => {
    const { driver, requests } = scripted();
    driver.engine.activate(V1, null, null);
    seed(driver, 'a', 10, 22);
    await play(driver, 'a', 0, 11);
    await driver.flush();
    const [opening, next] = requests.map(({ features }) => [...features]);
    expect(opening).toHaveLength(FEATURES);
    expect(opening!.slice(0, 21)).toEqual(new Array(21).fill(0.5));
    expect(opening!.slice(21, 24)).toEqual([NaN, NaN, NaN]);
    expect(opening!.slice(24)).toEqual([50, 0, NaN, NaN, 10]);
    expect(next!.slice(0, 3)).toEqual([1, 0.5, 0.5]);
    expect(next!.slice(24)).toEqual([NaN, NaN, NaN, NaN, 11]);
  });

  it('makes no forecast with fewer than 20 of 24 lags or without the latest, and counts that', async () => {
    const { driver } = scripted();
    driver.engine.activate(V1, null, null);
    seed(driver, 'enough', 10, 20);
    seed(driver, 'too few', 10, 19);
    for (const device of ['enough', 'too few', 'new']) await play(driver, device, 0, 10);
    await play(driver, 'enough', 2, 10);
    await driver.flush();
    expect(driver.evaluations().map(({ device_id, start }) => [device_id, start])).toEqual([['enough', 0]]);
    // 'too few' and 'new' in window 0; 'enough' in window 2, for it was silent in window 1.
    expect(driver.engine.counts.no_forecast).toBe(3);
  });

  it('keeps the snapshot’s past of a window that the stream sends again, and of every other device', async () => {
    const rowsOf = async (events: Parameters<Driver['feedAll']>[0]): Promise<unknown[]> => {
      const { driver } = scripted();
      for (const device of ['a', 'b']) seed(driver, device);
      driver.engine.activate(V1, 0.5, null);
      await driver.feedAll(events);
      await driver.flush();
      return driver.evaluations();
    };
    const live = ['a', 'b'].flatMap((device) => [
      reading(device, 1),
      reading(device, 31),
      reading(device, 61),
    ]);
    const once = await rowsOf(live);
    expect(await rowsOf([reading('a', -100), reading('a', -1), ...live])).toEqual(once);
    expect(once).toHaveLength(6);
  });

  it('has no row of devices that sent nothing', async () => {
    const { driver } = scripted();
    driver.engine.activate(V1, null, null);
    seed(driver, 'a');
    seed(driver, 'silent');
    await play(driver, 'a', 0, 10);
    await driver.flush();
    expect(driver.evaluations().map(({ device_id }) => device_id)).toEqual(['a']);
  });

  it('scores a version only from its first window on, and not from its last', async () => {
    const { driver, requests } = scripted();
    driver.engine.activate(V1, null, null);
    seed(driver, 'a');
    for (let index = 0; index < 10; index += 1) {
      await play(driver, 'a', index, 10);
      if (index === 4) {
        // 122 s have been read: the first window that starts later is the fifth.
        const from = driver.engine.firstUnseenWindow(null);
        expect(from).toBe(5 * WINDOW);
        driver.engine.activate(V2, null, from);
      }
      if (index === 6) {
        const until = driver.engine.firstUnforecastWindow();
        expect(until).toBe(5 * WINDOW);
        driver.engine.deactivate(V1, until);
      }
    }
    await driver.flush();
    const windowsOf = (version: string): number[] =>
      driver
        .evaluations()
        .filter(({ model_version }) => model_version === version)
        .map(({ start }) => start / WINDOW);
    expect(windowsOf('v1')).toEqual([0, 1, 2, 3, 4]);
    expect(windowsOf('v2')).toEqual([5, 6, 7, 8, 9]);
    expect(requests.every(({ versions }) => versions.length === 1)).toBe(true);
    expect(driver.engine.inForce).toEqual(['v2']);
  });

  it('lets a version in no earlier than its stage allows, and on no window that is forecast already', () => {
    const { driver } = scripted();
    const { engine } = driver;
    expect(engine.firstUnseenWindow(null)).toBeNull();
    expect(engine.firstUnseenWindow(WINDOW + 1)).toBe(2 * WINDOW);
    engine.ingest(Buffer.from(JSON.stringify(reading('a', 89.999))), NaN, 0);
    expect(engine.firstUnseenWindow(null)).toBe(3 * WINDOW);
    // An event right on a window's start is an event of that window.
    engine.ingest(Buffer.from(JSON.stringify(reading('a', 90))), NaN, 1);
    expect(engine.firstUnseenWindow(null)).toBe(4 * WINDOW);
    expect(engine.firstUnseenWindow(10 * WINDOW)).toBe(10 * WINDOW);
    engine.closeNext(engine.latestEvent);
    engine.closeNext(engine.latestEvent);
    // Windows to 90 s… the one that starts at 90 s was forecast when the last of them closed.
    engine.schedule.close(3 * WINDOW);
    expect(engine.firstUnseenWindow(null)).toBe(4 * WINDOW);
  });

  it('passes over a forecast that is no number', async () => {
    const driver = new Driver(SETTINGS, ({ rows }) => Promise.resolve(new Float32Array(rows).fill(NaN)));
    driver.engine.activate(V1, null, null);
    seed(driver, 'a');
    await play(driver, 'a', 0, 10);
    await driver.flush();
    expect(driver.evaluations()).toEqual([]);
  });
});

describe('a version that predicts anomalies by devices’ pasts', () => {
  const ANOMALIES = { rule: 'tails', false_alarms: 1e-3 } as const;
  const DEVICES = Array.from({ length: 30 }, (_, at) => `device-${at}`);

  /** Twelve readings of each device in each window from `from` to `until`, a tenth of a degree apart; `odd` changes what device-3 reads. */
  async function playFleet(
    driver: Driver,
    from: number,
    until: number,
    odd: (window: number, reading: number) => { readonly add?: number; readonly label?: 0 | 1 } = () => ({}),
    level: (window: number) => number = () => 20,
  ): Promise<void> {
    for (let window = from; window < until; window += 1)
      for (let at = 0; at < 12; at += 1)
        for (const [place, device] of DEVICES.entries()) {
          const { add = 0, label } = place === 3 ? odd(window, at) : {};
          const scatter = 0.1 * Math.sin(7 * at + place + 3 * window);
          const extra = label === undefined ? {} : { label };
          await driver.feed(reading(device, window * 30 + at * 2 + 1, level(window) + scatter + add, extra));
        }
  }

  function fleet(anomalies: boolean): Driver {
    const driver = new Driver(SETTINGS, ({ versions, rows }) =>
      Promise.resolve(new Float32Array(versions.length * rows)),
    );
    driver.engine.activate(V1, 0.5, null, anomalies ? { anomalies: ANOMALIES } : {});
    for (const device of DEVICES) seed(driver, device, 20, LAGS, 0.07);
    return driver;
  }

  const oddRows = (driver: Driver, window: number): Record<string, unknown>[] =>
    driver
      .evaluations()
      .filter(({ device_id, start }) => device_id === 'device-3' && start === window * WINDOW);

  it('says of a spike what it is, how unusual, and in which band the mean was expected', async () => {
    const driver = fleet(true);
    await playFleet(driver, 0, 15, (window, at) => (window === 10 && at < 2 ? { add: 3 } : {}));
    await driver.flush();
    const [row] = oddRows(driver, 10);
    expect(row).toMatchObject({ predicted_anomaly: 1, anomaly_kind: 'spike', actual_anomaly: null });
    expect(Number(row?.['anomaly_score'])).toBeGreaterThan(3);
    expect(Number(row?.['band'])).toBeGreaterThan(0);
    const predicted = driver.evaluations().filter(({ predicted_anomaly }) => predicted_anomaly === 1);
    expect(predicted).toEqual([row]);
  });

  it('says of a mean that left the band alone that it shifted, and nothing of one that all devices share', async () => {
    const driver = fleet(true);
    await playFleet(
      driver,
      0,
      18,
      (window) => ({ add: window >= 15 ? 5 : 0 }),
      (window) => (window >= 10 ? 25 : 20),
    );
    await driver.flush();
    const predicted = driver.evaluations().filter(({ predicted_anomaly }) => predicted_anomaly === 1);
    expect(predicted).toMatchObject([{ start: 15 * WINDOW, device_id: 'device-3', anomaly_kind: 'shift' }]);
  });

  it('knows what is true by labels alone', async () => {
    const driver = fleet(true);
    await playFleet(driver, 0, 3, (window, at) => ({ add: at === 5 ? 9 : 0, label: window === 1 ? 1 : 0 }));
    await driver.flush();
    // Grubbs' test would call all of them anomalous, and the other devices normal.
    expect([0, 1, 2].map((window) => oddRows(driver, window)[0]?.['actual_anomaly'])).toEqual([0, 1, 0]);
    const unlabelled = driver.evaluations().filter(({ device_id }) => device_id === 'device-4');
    expect(unlabelled.map(({ actual_anomaly }) => actual_anomaly)).toEqual([null, null, null]);
  });

  it('leaves rows of versions without it, as of earlier releases, as they were', async () => {
    const [former, today] = [fleet(false), fleet(true)];
    for (const driver of [former, today]) {
      await playFleet(driver, 0, 4);
      await driver.flush();
    }
    const without = (row: Record<string, unknown>): Record<string, unknown> => ({
      ...row,
      ...{
        band: null,
        anomaly_score: null,
        anomaly_kind: null,
        predicted_anomaly: null,
        actual_anomaly: null,
      },
    });
    expect(
      former.evaluations().every(({ band, anomaly_score: score }) => band === null && score === null),
    ).toBe(true);
    expect(former.evaluations().map(without)).toEqual(today.evaluations().map(without));
    expect(former.evaluations().every(({ actual_anomaly }) => actual_anomaly === 0)).toBe(true);
  });
});
