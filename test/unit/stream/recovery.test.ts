import fc from 'fast-check';
import { versionIdSchema } from '../../../core/contracts/ids';
import { type StreamSettings } from '../../../core/contracts/settings';
import { PartitionEngine } from '../../../core/stream/engine';
import { type Forecaster } from '../../../core/stream/forecasts/forecaster';
import { type ClosedWindow } from '../../../core/stream/windows/rows';
import { encodeState, restoreState } from '../../../core/stream/ownership/state-codec';
import { bytesOf, Driver, reading, SETTINGS, type TestEvent, WINDOW } from './support';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { FEATURES, taskWith } from '../../support/task';

const V0 = versionIdSchema.parse('v0');
const V1 = versionIdSchema.parse('v1');
const DEVICES = ['a', 'b', 'c', 'd'];
const ANOMALIES = { rule: 'tails', false_alarms: 0.05 } as const;
const HOW = { errors_from: 'predecessor', adapters: 'ridge', anomalies: ANOMALIES } as const;

/** Any function of the features will do, as long as it is one. */
const forecaster: Forecaster = ({ versions, features, rows }) =>
  Promise.resolve(
    Float32Array.from({ length: versions.length * rows }, (_, i) =>
      Math.sin((features[(i % rows) * FEATURES] ?? 0) * 3 + Math.floor(i / rows)),
    ),
  );

function fresh(settings: StreamSettings = SETTINGS): Driver {
  const driver = new Driver(settings, forecaster);
  for (const device of DEVICES.slice(0, 3)) {
    const past = Array.from({ length: DEFAULT_TASK.lags }, (_, back) =>
      Math.sin(back + device.charCodeAt(0)),
    );
    driver.engine.seed(device, -WINDOW, { target: past, covariates: [past, []], stddev: 0.2 });
  }
  driver.engine.activate(V0, 0.6, null, { adapters: 'ridge', anomalies: ANOMALIES });
  return driver;
}

type Step =
  | { readonly event: TestEvent | string }
  | { readonly idle: true }
  | { readonly activate: true }
  | { readonly deactivate: true };

async function apply(driver: Driver, step: Step): Promise<void> {
  if ('event' in step) await driver.feed(step.event);
  else if ('idle' in step) await driver.idle();
  else if ('activate' in step)
    driver.engine.activate(V1, 0.5, driver.engine.firstUnseenWindow(null), {
      errors_from: 'predecessor',
      adapters: 'ridge',
      anomalies: ANOMALIES,
    });
  else driver.engine.deactivate(V0, driver.engine.firstUnforecastWindow());
}

/** Write a checkpoint, throw the engine away, and continue from bytes and log alone. */
function crash(driver: Driver, log: readonly (TestEvent | string)[]): Driver {
  const position = {
    next: driver.offset,
    rewind: driver.engine.rewindOffset(driver.offset),
    decisions_until: 0,
  };
  const bytes = encodeState(driver.engine, position);
  const { settings } = driver.engine;
  const engine = new PartitionEngine(0, settings);
  expect(restoreState(engine, Buffer.from(bytes))).toEqual(position);
  for (let offset = position.rewind; offset < position.next; offset += 1)
    engine.rebuild(bytesOf(log[offset]!), NaN, offset);
  const next = new Driver(settings, forecaster, engine);
  next.offset = driver.offset;
  next.closed.push(...driver.closed);
  return next;
}

const event = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .record({
        device: fc.constantFrom(...DEVICES),
        jitter: fc.integer({ min: -90, max: 20 }),
        value: fc.double({ min: -5, max: 5, noNaN: true }),
      })
      .map(({ device, jitter, value }) => ({ device, jitter, value })),
  },
  { weight: 1, arbitrary: fc.constant(undefined) },
);

describe('recovery', () => {
  it('gives the same rows and counts wherever the engine is lost and restored', async () => {
    let evaluations = 0;
    let corrected = 0;
    let predicted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 40, maxLength: 160 }),
        fc.array(fc.nat(159), { maxLength: 5 }),
        fc.array(fc.nat(159), { maxLength: 3 }),
        fc.nat(60),
        fc.nat(159),
        fc.constantFrom('time', 'reading'),
        async (events, crashes, idles, activateAt, deactivateAt, duplicates) => {
          const settings: StreamSettings = { ...SETTINGS, duplicates };
          // Few values, so that readings of one time agree in some.
          const valueOf = (value: number): number =>
            duplicates === 'reading' ? Math.round(value / 5) : value;
          const log = events.map((one, i): TestEvent | string =>
            one === undefined
              ? 'garbage'
              : reading(one.device, i * 5 + one.jitter, valueOf(one.value), {
                  humidity: one.value < -4 ? 'n/a' : one.value * 2,
                }),
          );
          let straight = fresh(settings);
          let broken = fresh(settings);
          for (const [i, one] of log.entries()) {
            const steps: Step[] = [{ event: one }];
            if (i === activateAt) steps.push({ activate: true });
            if (i === deactivateAt) steps.push({ deactivate: true });
            if (idles.includes(i)) steps.push({ idle: true });
            for (const step of steps) {
              await apply(straight, step);
              await apply(broken, step);
            }
            if (crashes.includes(i)) broken = crash(broken, log);
          }
          broken = crash(broken, log);
          await straight.flush();
          await broken.flush();
          expect(broken.closed).toEqual(straight.closed);
          expect(broken.engine.counts).toEqual(straight.engine.counts);
          evaluations += straight.evaluations().length;
          corrected += straight.evaluations().filter((row) => row['served_result'] !== null).length;
          predicted += straight.evaluations().filter((row) => row['anomaly_kind'] !== null).length;
          straight = fresh();
        },
      ),
      { numRuns: 60 },
    );
    expect(evaluations).toBeGreaterThan(100);
    expect(corrected).toBeGreaterThan(20);
    expect(predicted).toBeGreaterThan(5);
  });

  it('does not depend on when a version is known, only on its first and last window', async () => {
    const play = async (driver: Driver, from: number, until: number): Promise<void> => {
      for (let i = from; i < until; i += 1) await driver.feed(reading('a', i * 10, Math.sin(i)));
    };
    const live = fresh();
    await play(live, 0, 10);
    const from = live.engine.firstUnseenWindow(null);
    live.engine.activate(V1, 0.5, from, HOW);
    await play(live, 10, 30);
    const until = live.engine.firstUnforecastWindow();
    live.engine.deactivate(V0, until);
    await play(live, 30, 50);

    const again = fresh();
    again.engine.activate(V1, 0.5, from, HOW);
    again.engine.deactivate(V0, until);
    await play(again, 0, 50);
    expect(again.closed).toEqual(live.closed);
    expect(live.evaluations().some((row) => row['served_result'] !== null)).toBe(true);
    expect(live.evaluations().filter(({ model_version }) => model_version === 'v1').length).toBeGreaterThan(
      5,
    );
  });

  it('writes nothing of adapters and anomalies where no version has any, as earlier releases did', async () => {
    const states = await Promise.all(
      [{}, HOW].map(async (how) => {
        const driver = new Driver(SETTINGS, forecaster);
        driver.engine.activate(V0, null, null, how);
        for (let i = 0; i < 120; i += 1) await driver.feed(reading('a', i * 10, Math.sin(i)));
        expect(driver.engine.evaluator.outstanding).toBeDefined();
        return encodeState(driver.engine, { next: 120, rewind: 110, decisions_until: 0 });
      }),
    );
    expect(states.map((state) => state.includes('"adapters"'))).toEqual([false, true]);
    expect(states.map((state) => state.includes('"shares"'))).toEqual([false, true]);
    for (const part of ['"anomalies"', '"detector"', '"band_limits"'])
      expect(states.map((state) => state.includes(part))).toEqual([false, true]);
  });

  it('refuses state of other settings, and bytes that are none', async () => {
    const driver = fresh();
    await driver.feedAll([reading('a', 0), reading('a', 200)]);
    const bytes = encodeState(driver.engine, { next: 2, rewind: 1, decisions_until: 0 });
    const into = (settings: typeof SETTINGS, some: Buffer): unknown =>
      restoreState(new PartitionEngine(0, settings), some);
    expect(() => into({ ...SETTINGS, task: taskWith({ windowMicros: WINDOW * 2 }) }, bytes)).toThrow(
      'other settings',
    );
    expect(() => into(SETTINGS, bytes.subarray(0, bytes.length - 8))).toThrow('tables');
    expect(() => into(SETTINGS, Buffer.from('nonsense'))).toThrow('not valid');
    expect(() => into(SETTINGS, Buffer.alloc(0))).toThrow('not valid');
    expect(into({ ...SETTINGS, idleMillis: 1 }, bytes)).toMatchObject({ next: 2 });
  });

  it('reads again from the first event of the oldest open window', async () => {
    const driver = new Driver();
    expect(driver.engine.rewindOffset(0)).toBe(0);
    await driver.feedAll([
      reading('a', 0),
      reading('a', 45),
      reading('a', 30),
      reading('a', 75),
      reading('a', 100),
    ]);
    // The window of the first event has closed; the next began with offset 1.
    expect(driver.engine.rewindOffset(5)).toBe(1);
    await driver.flush();
    expect(driver.engine.rewindOffset(5)).toBe(5);
  });
});

describe('rows in blocks', () => {
  it('are the same whatever way the input is split', async () => {
    const events = Array.from({ length: 300 }, (_, i) =>
      reading(DEVICES[i % 4]!, i * 3 + ((i * 7) % 11), Math.sin(i)),
    );
    const whole = fresh();
    await whole.feedAll(events);
    const split = fresh();
    for (let at = 0; at < events.length; at += 37) await split.feedAll(events.slice(at, at + 37));
    expect(split.closed).toEqual<ClosedWindow[]>(whole.closed);
  });
});
