import fc from 'fast-check';
import { ASIDE_LIMITS } from '../../../core/contracts/limits';
import { PartitionEngine } from '../../../core/stream/engine';
import { encodeState, restoreState } from '../../../core/stream/ownership/state-codec';
import { bytesOf, Driver, noChange, reading, SECOND, SETTINGS, type TestEvent, WINDOW } from './support';

const YEAR_2106 = Date.parse('2106-02-07T06:28:15Z') / 1_000;
const NIGHT = 8 * 3_600;

/** Every device sends once a second, one after the other. */
function sending(devices: readonly string[], from: number, seconds: number): TestEvent[] {
  return Array.from({ length: seconds * devices.length }, (_, i) => {
    const device = devices[i % devices.length]!;
    return reading(device, from + i / devices.length, i % 7);
  });
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `d${i}`);

function readingsInRows(driver: Driver, device: string): number {
  return driver
    .rows()
    .filter(({ device_id }) => device_id === device)
    .reduce((sum, { count }) => sum + count, 0);
}

/** read = the five verdicts and what is aside; rows and open windows hold what was windowed. */
function expectToAddUp({ engine, offset }: Driver, inRows: number): void {
  const { read, windowed, late, duplicate, future, malformed } = engine.counts;
  expect(read).toBe(offset);
  expect(windowed + late + duplicate + future + malformed + engine.ahead.waiting).toBe(read);
  expect(inRows + engine.open.readings).toBe(windowed);
}

const total = (driver: Driver): number => driver.rows().reduce((sum, { count }) => sum + count, 0);

describe('one clock of many', () => {
  it('far ahead never makes anything late, whatever it sends, wherever in the log', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 7 }),
        fc.array(
          fc.record({
            at: fc.nat(400),
            ahead: fc.oneof(
              fc.integer({ min: 61, max: 200 }),
              fc.integer({ min: 200, max: 100_000 }),
              fc.constant(2.5e9),
            ),
            times: fc.integer({ min: 1, max: 5 }),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        async (devices, lies) => {
          const driver = new Driver();
          let lastHonest = -Infinity;
          const honest = sending(names(devices), 0, Math.ceil(400 / devices));
          for (const [i, event] of honest.entries()) {
            expect(await driver.feed(event)).toBe('windowed');
            lastHonest = Math.round(Number(event.timestamp) * 1_000);
            for (const lie of i < 3 ? [] : lies.filter(({ at }) => at === i))
              for (let time = 0; time < lie.times; time += 1)
                await driver.feed(reading('liar', lastHonest / SECOND + lie.ahead + time / 10));
            expect(driver.engine.watermark).toBeLessThanOrEqual(lastHonest);
          }
          expect(driver.engine.counts.late).toBe(0);
          await driver.flush();
          expect(driver.engine.ahead.waiting).toBe(0);
          expectToAddUp(driver, total(driver));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('that is always so far ahead is in windows as the others reach them, and moves none', async () => {
    const driver = new Driver();
    const devices = names(4);
    await driver.feedAll(sending(devices, -1, 1));
    for (const event of sending(devices, 0, 300)) {
      expect(await driver.feed(event)).toBe('windowed');
      await driver.feed(reading('fast', Number(event.timestamp) / 1_000 + 90));
      expect(driver.engine.watermark / SECOND).toBeLessThanOrEqual(Number(event.timestamp) / 1_000);
    }
    expect(driver.engine.counts).toMatchObject({ late: 0, future: 0 });
    // Thirty seconds of its readings wait: those that are further ahead than the watermark.
    expect(driver.engine.ahead.waiting).toBeLessThan(4 * 32);
    expect(readingsInRows(driver, 'fast')).toBeGreaterThan(4 * 100);
  });

  it('is refused, with its bytes and place, once the time has moved on by all windows that a forecast looks back on', async () => {
    const driver = new Driver();
    const devices = names(3);
    await driver.feedAll(sending(devices, 0, 10));
    const lie = reading('liar', YEAR_2106);
    expect(await driver.feed(lie)).toBe('aside');
    await driver.feedAll(sending(devices, 10, 745));
    expect(driver.engine.counts.future).toBe(0);
    await driver.feedAll(sending(devices, 755, 90));
    expect(driver.engine.counts).toMatchObject({ future: 1, late: 0 });
    expect(driver.settled).toMatchObject([{ verdict: 'future', event: { offset: 30, deviceId: 'liar' } }]);
    expect(Buffer.from(driver.settled[0]!.event.bytes)).toEqual(bytesOf(lie));
  });

  it('is one of two when a second one agrees, in a partition of four', async () => {
    const driver = new Driver();
    await driver.feedAll(sending(names(4), 0, 10));
    expect(await driver.feed(reading('d0', 5_000))).toBe('aside');
    expect(driver.engine.latestEvent).toBeLessThan(10 * SECOND);
    await driver.feed(reading('d1', 5_001));
    expect(driver.engine.latestEvent).toBe(5_001 * SECOND);
    expect(driver.engine.counts).toMatchObject({ late: 0, windowed: 42 });
  });

  it('that speaks first is found out by the next two', async () => {
    const driver = new Driver();
    await driver.feed(reading('liar', YEAR_2106));
    await driver.feed(reading('liar', YEAR_2106 + 1));
    const verdicts = await driver.feedAll(sending(names(3), 0, 200));
    // The first of the others is one against one.
    expect(verdicts.filter((verdict) => verdict !== 'windowed')).toEqual(['late']);
    expect(driver.engine.ahead.waiting).toBe(2);
    await driver.flush();
    expect(driver.rows().filter(({ device_id }) => device_id === 'liar')).toEqual([]);
    expect(driver.engine.counts).toMatchObject({ future: 2, late: 1, windowed: 599 });
    expectToAddUp(driver, total(driver));
  });
});

describe('a partition that comes back after a pause', () => {
  it('loses no reading, in any order, with any number of devices, and a wrong clock among them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 200, max: 100 * 3_600 }),
        fc.array(fc.double({ min: 0, max: 25, noNaN: true }), { minLength: 30, maxLength: 60 }),
        fc.boolean(),
        async (count, pause, jitter, withLiar) => {
          const driver = new Driver();
          const devices = names(count);
          const evening = sending(devices, 0, 120);
          await driver.feedAll(evening);
          // With one other device nobody could tell which of them is right.
          const liars = withLiar && count > 1 ? 3 : 0;
          for (let i = 0; i < liars; i += 1) await driver.feed(reading('liar', YEAR_2106 + i));
          const morning = jitter.map((late, i) =>
            reading(devices[i % count]!, 120 + pause + i * 10 - late, i),
          );
          for (const event of morning) await driver.feed(event);
          const { late, windowed } = driver.engine.counts;
          expect(late).toBe(0);
          expect(driver.engine.latestEvent).toBeGreaterThan((120 + pause) * SECOND);
          await driver.flush((120 + pause + 10_000) * SECOND);
          expect(driver.engine.counts).toMatchObject({ late: 0, future: liars });
          expect(driver.engine.counts.windowed).toBeGreaterThanOrEqual(windowed);
          expect(driver.engine.counts.windowed + driver.engine.counts.duplicate).toBe(
            evening.length + morning.length,
          );
          expectToAddUp(driver, total(driver));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('waits for no one when it has one device', async () => {
    const driver = new Driver();
    expect(await driver.feedAll([reading('a', 0), reading('a', NIGHT), reading('a', 3 * NIGHT)])).toEqual([
      'windowed',
      'windowed',
      'windowed',
    ]);
  });

  it('goes on with the one of two devices that comes back, once it is quiet and that time has come', async () => {
    const driver = new Driver();
    await driver.feedAll(sending(['a', 'b'], 0, 100));
    expect(await driver.feed(reading('a', NIGHT))).toBe('aside');
    await driver.idle((NIGHT - 1) * SECOND);
    expect(driver.engine.ahead.waiting).toBe(1);
    await driver.idle((NIGHT + 30) * SECOND);
    expect(driver.engine.ahead.waiting).toBe(0);
    expect(driver.engine.latestEvent).toBe(NIGHT * SECOND);
    expect(await driver.feed(reading('b', NIGHT + 1))).toBe('windowed');
  });

  it('closes the windows before the pause when it is idle, and none by a time that nobody confirms', async () => {
    const driver = new Driver();
    await driver.feedAll(sending(names(3), 0, 100));
    await driver.feed(reading('liar', YEAR_2106));
    await driver.idle(1e9 * SECOND);
    expect(driver.closed.at(-1)).toMatchObject({ end: 3 * WINDOW });
    expect(driver.engine.ahead.waiting).toBe(1);
  });
});

describe('two devices', () => {
  it('go on as they did while neither is further ahead than the watermark, a window and the future limit', async () => {
    const driver = new Driver();
    expect(
      await driver.feedAll([reading('a', 0), reading('b', 1), reading('a', 121), reading('b', 122)]),
    ).toEqual(['windowed', 'windowed', 'windowed', 'windowed']);
  });

  it('wait for each other beyond that', async () => {
    const driver = new Driver();
    await driver.feedAll(sending(['a', 'b'], 0, 30));
    expect(await driver.feed(reading('b', YEAR_2106))).toBe('aside');
    expect(await driver.feedAll(sending(['a'], 30, 300))).not.toContain('late');
    expect(driver.engine.counts).toMatchObject({ late: 0, windowed: 360 });
  });
});

describe('events aside', () => {
  it('are bounded: beyond it the furthest ahead is refused, and the rest waits', async () => {
    const driver = new Driver();
    await driver.feedAll(sending(names(3), 0, 5));
    await driver.feed(reading('d1', 1_000));
    for (let i = 0; i < ASIDE_LIMITS.events + 10; i += 1) await driver.feed(reading('liar', YEAR_2106 + i));
    expect(driver.engine.ahead.waiting).toBe(ASIDE_LIMITS.events);
    // The other one is where two devices have been by now.
    expect(driver.engine.counts.future).toBe(10);
    expect(driver.engine.latestEvent).toBe(1_000 * SECOND);
    expectToAddUp(driver, total(driver));
  });

  it('are refused at the end of input, where their time is not believed', async () => {
    const driver = new Driver();
    await driver.feedAll(sending(names(3), 0, 5));
    await driver.feedAll([reading('d1', 5_000), reading('liar', YEAR_2106)].slice(0, 1));
    await driver.feed(reading('d1', 5_001));
    await driver.flush(5_000 * SECOND);
    expect(driver.engine.counts).toMatchObject({ windowed: 16, future: 1 });
  });

  it('outlive a crash anywhere: rows, counts and rejects are those of a run without one', async () => {
    const event = fc.record({
      device: fc.constantFrom('a', 'b', 'c', 'd'),
      jump: fc.oneof(
        { weight: 20, arbitrary: fc.integer({ min: -60, max: 30 }) },
        { weight: 4, arbitrary: fc.integer({ min: 60, max: 400 }) },
        { weight: 1, arbitrary: fc.constantFrom(5_000, 1e9) },
      ),
      value: fc.double({ min: -5, max: 5, noNaN: true }),
    });
    let waited = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 30, maxLength: 120 }),
        fc.array(fc.nat(119), { maxLength: 6 }),
        fc.array(fc.nat(119), { maxLength: 3 }),
        fc.array(fc.nat(119), { maxLength: 2 }),
        async (events, crashes, idles, pauses) => {
          let now = 0;
          const log = events.map(({ device, jump, value }, i) => {
            now += pauses.includes(i) ? 3_000 : 5;
            return reading(device, now + jump, value);
          });
          const straight = new Driver();
          let broken = new Driver();
          for (const [i, one] of log.entries()) {
            for (const driver of [straight, broken]) {
              await driver.feed(one);
              if (idles.includes(i)) await driver.idle(Number(one.timestamp) * 1_000 + 30 * SECOND);
            }
            waited = Math.max(waited, straight.engine.ahead.waiting);
            if (crashes.includes(i)) broken = crash(broken, log);
          }
          broken = crash(broken, log);
          expect(broken.engine.ahead.waiting).toBe(straight.engine.ahead.waiting);
          await straight.flush(1e6 * SECOND);
          await broken.flush(1e6 * SECOND);
          expect(broken.closed).toEqual(straight.closed);
          expect(broken.engine.counts).toEqual(straight.engine.counts);
          expect(broken.settled.map(placeOf)).toEqual(straight.settled.map(placeOf));
        },
      ),
      { numRuns: 60 },
    );
    expect(waited).toBeGreaterThan(2);
  });
});

const placeOf = ({ event, verdict }: Driver['settled'][number]): readonly [number, string] => [
  event.offset,
  verdict,
];

/** Write a checkpoint, throw the engine away, and continue from bytes and log alone. */
function crash(driver: Driver, log: readonly TestEvent[]): Driver {
  const { engine: lost, offset: next } = driver;
  const bytes = encodeState(lost, { next, rewind: lost.rewindOffset(next), decisions_until: 0 });
  const engine = new PartitionEngine(0, SETTINGS);
  const { rewind } = restoreState(engine, Buffer.from(bytes));
  for (let offset = rewind; offset < next; offset += 1) engine.rebuild(bytesOf(log[offset]!), NaN, offset);
  const again = new Driver(SETTINGS, noChange, engine);
  again.offset = next;
  again.closed.push(...driver.closed);
  again.settled.push(...driver.settled);
  return again;
}
