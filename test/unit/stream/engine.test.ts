import fc from 'fast-check';
import { type StreamSettings } from '../../../core/contracts/settings';
import { EventParser } from '../../../core/stream/parse/parse';
import { emptyEvent } from '../../../core/stream/parse/event';
import { PartitionEngine } from '../../../core/stream/engine';
import { Driver, noChange, reading, SECOND, SETTINGS, type TestEvent, WINDOW } from './support';
import { DEFAULT_TASK } from '../../../core/contracts/task';

describe('verdicts', () => {
  it('come in the order malformed, future, late, duplicate, windowed', async () => {
    const driver = new Driver();
    const stamped = (event: TestEvent, seconds: number): Promise<string> =>
      driver.feed(event, seconds * SECOND);
    expect(await stamped(reading('a', 10), 10)).toBe('windowed');
    // Closes 0 … 30 s.
    expect(await stamped(reading('a', 90), 90)).toBe('windowed');
    expect(await driver.feed('{}')).toBe('malformed');
    // Late as well, but malformed comes first.
    expect(await stamped({ device_id: 'a', timestamp: 10_000, temperature: 'x' }, 10)).toBe('malformed');
    // Future against its own record, and its window is closed: future comes first.
    expect(await stamped(reading('a', 10), -21)).toBe('future');
    // The same event again, in a window that has closed: late comes before duplicate.
    expect(await stamped(reading('a', 10), 10)).toBe('late');
    expect(await stamped(reading('a', 90), 90)).toBe('duplicate');
    expect(driver.engine.counts).toMatchObject({
      read: 7,
      windowed: 2,
      malformed: 2,
      future: 1,
      late: 1,
      duplicate: 1,
    });
  });

  it('call an event future only when it is more than 30 s ahead of its record', async () => {
    const driver = new Driver();
    expect(await driver.feed(reading('a', 130), 100 * SECOND)).toBe('windowed');
    expect(await driver.feed(reading('b', 130.000001), 100 * SECOND)).toBe('future');
    expect(await driver.feed(reading('a', 1e6))).toBe('windowed');
  });

  it('do not let a fast clock close the windows of others', async () => {
    const driver = new Driver();
    await driver.feed(reading('a', 10), 10 * SECOND);
    await driver.feed(reading('fast', 9_999), 11 * SECOND);
    expect(await driver.feed(reading('a', 12), 12 * SECOND)).toBe('windowed');
    expect(driver.closed).toEqual([]);
  });

  it('recognise duplicates by device and microsecond, in order or not, among few readings and many', async () => {
    const driver = new Driver();
    const times = Array.from({ length: 200 }, (_, i) => (i * 7_919) % 200);
    for (const at of times)
      expect(await driver.feed(reading('a', at / 10, 20, { humidity: at }))).toBe('windowed');
    for (const at of times) expect(await driver.feed(reading('a', at / 10, 99))).toBe('duplicate');
    expect(await driver.feed(reading('a', 10.000001))).toBe('windowed');
    expect(await driver.feed(reading('b', 10))).toBe('windowed');
    await driver.flush();
    expect(driver.rows()).toMatchObject([
      { device_id: 'a', count: 201, max: 20 },
      { device_id: 'b', count: 1 },
    ]);
  });
});

describe('duplicates by time and reading', () => {
  const BY_READING: StreamSettings = { ...SETTINGS, duplicates: 'reading' };

  it('agree in device, time and target; covariates do not tell them apart', async () => {
    const driver = new Driver(BY_READING);
    expect(
      await driver.feedAll([
        reading('a', 1, 20, { humidity: 40 }),
        reading('a', 1, 21),
        reading('a', 1, 20, { humidity: 50 }),
        reading('a', 2, 20),
        reading('a', 1, 21),
        reading('b', 1, 20),
      ]),
    ).toEqual(['windowed', 'windowed', 'duplicate', 'windowed', 'duplicate', 'windowed']);
    await driver.flush();
    expect(driver.rows()).toMatchObject([
      { device_id: 'a', count: 3, max: 21, humidity_avg: 40 },
      { device_id: 'b', count: 1 },
    ]);
  });

  it.each(['time', 'reading'] as const)(
    'are found by %s in any order, among few and many',
    async (duplicates) => {
      const event = fc.record({ at: fc.integer({ min: 0, max: 60 }), value: fc.integer({ min: 0, max: 3 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(event, { maxLength: 300, size: 'max' }), async (events) => {
          const driver = new Driver({ ...SETTINGS, duplicates });
          const seen = new Set<string>();
          for (const { at, value } of events) {
            const key = duplicates === 'time' ? String(at) : `${at} ${value}`;
            expect(await driver.feed(reading('a', at / 4, value))).toBe(
              seen.has(key) ? 'duplicate' : 'windowed',
            );
            seen.add(key);
          }
        }),
        { numRuns: 50 },
      );
    },
  );
});

describe('windows', () => {
  it('close when the watermark reaches their end, not before', async () => {
    const driver = new Driver();
    await driver.feed(reading('a', 0));
    await driver.feed(reading('a', 89.999999));
    expect(driver.closed).toEqual([]);
    await driver.feed(reading('a', 90));
    expect(driver.closed).toMatchObject([{ start: 0, end: WINDOW }]);
    expect(driver.rows()).toMatchObject([{ device_id: 'a', start: 0, count: 1 }]);
  });

  it('include an event on their start and leave the one on their end to the next', async () => {
    const driver = new Driver();
    await driver.feedAll([
      reading('a', 29.999999, 1),
      reading('a', 30, 2),
      reading('a', 59.999999, 3),
      reading('a', 60, 4),
    ]);
    await driver.flush();
    expect(driver.rows()).toMatchObject([
      { start: 0, count: 1, avg: 1 },
      { start: WINDOW, count: 2, avg: 2.5 },
      { start: 2 * WINDOW, count: 1, avg: 4 },
    ]);
  });

  it('lie on the same grid before 1970', async () => {
    const driver = new Driver();
    await driver.feedAll([
      reading('a', -0.000001, 1),
      reading('a', -30, 2),
      reading('a', -30.000001, 3),
      reading('a', 0, 4),
    ]);
    await driver.flush();
    expect(driver.rows()).toMatchObject([
      { start: -2 * WINDOW, count: 1, avg: 3 },
      { start: -WINDOW, count: 2, avg: 1.5 },
      { start: 0, count: 1, avg: 4 },
    ]);
  });

  it('still accept events out of order while the watermark allows', async () => {
    const driver = new Driver();
    expect(
      await driver.feedAll([
        reading('a', 85),
        reading('b', 5),
        reading('a', 90),
        reading('b', 29.9),
        reading('b', 30),
      ]),
    ).toEqual(['windowed', 'windowed', 'windowed', 'late', 'windowed']);
  });

  it('without rows are closed too, so that everybody sees them complete', async () => {
    const driver = new Driver();
    await driver.feedAll([reading('a', 0), reading('a', 200)]);
    expect(driver.closed.map(({ start, analysis }) => [start / WINDOW, analysis.device_id.length])).toEqual([
      [0, 1],
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
  });

  it('after a gap of years only give the last empty one', async () => {
    const driver = new Driver();
    const year = 365 * 86_400;
    await driver.feedAll([reading('a', 0), reading('a', year)]);
    expect(driver.closed.map(({ start }) => start)).toEqual([0, (Math.floor((year - 60) / 30) - 1) * WINDOW]);
    expect(await driver.feed(reading('a', year - 100))).toBe('late');
  });

  it('close once the partition is idle, up to the largest event time, and no further', async () => {
    const driver = new Driver();
    await driver.feedAll([reading('a', 5), reading('a', 40), reading('b', 65)]);
    await driver.idle();
    expect(driver.closed.map(({ start }) => start)).toEqual([0, WINDOW]);
    expect(await driver.feed(reading('a', 41))).toBe('late');
    expect(await driver.feed(reading('a', 66))).toBe('windowed');
    await driver.idle();
    expect(driver.closed).toHaveLength(2);
    // The watermark has to catch up with what was closed early before it closes anything itself.
    await driver.feed(reading('a', 149));
    expect(driver.closed).toHaveLength(2);
    await driver.feed(reading('a', 150));
    expect(driver.closed.map(({ start }) => start / WINDOW)).toEqual([0, 1, 2]);
  });

  it('close idle exactly when the largest event time is their end', async () => {
    const driver = new Driver();
    await driver.feedAll([reading('a', 5), reading('a', 30)]);
    await driver.idle();
    expect(driver.closed.map(({ start }) => start)).toEqual([0]);
  });

  it('with no watermark delay close on the first event beyond them', async () => {
    const driver = new Driver({ ...SETTINGS, watermarkMicros: 0 });
    expect(
      await driver.feedAll([reading('a', 10), reading('a', 29), reading('a', 30), reading('a', 29)]),
    ).toEqual(['windowed', 'windowed', 'windowed', 'late']);
  });

  it('list devices in the order of their ids', async () => {
    const driver = new Driver();
    await driver.feedAll(['b', 'a10', 'a2', 'ж', 'B'].map((device) => reading(device, 1)));
    await driver.flush();
    expect(driver.rows().map(({ device_id }) => device_id)).toEqual(['B', 'a10', 'a2', 'b', 'ж']);
  });

  it('mean humidity and pressure over the readings that have them', async () => {
    const driver = new Driver();
    await driver.feedAll([
      reading('a', 1, 20, { humidity: 40 }),
      reading('a', 2, 20, { humidity: 50, pressure: 1000 }),
      reading('a', 3, 20),
      reading('b', 1, 20),
    ]);
    await driver.flush();
    expect(driver.rows()).toMatchObject([
      { humidity_avg: 45, pressure_avg: 1000 },
      { humidity_avg: null, pressure_avg: null },
    ]);
  });

  it('agree with a plain computation over all readings', async () => {
    const value = fc.oneof(
      fc.double({ min: -50, max: 50, noNaN: true }),
      fc.double({ min: 1e9, max: 1e9 + 1, noNaN: true }),
      fc.constantFrom(20, 20, 20.5),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 120 }), async (values) => {
        const driver = new Driver();
        for (const [i, temperature] of values.entries()) await driver.feed(reading('a', i / 8, temperature));
        await driver.flush();
        const [row] = driver.rows();
        const parser = new EventParser(DEFAULT_TASK);
        const read = values.map((temperature) => {
          const event = emptyEvent(3);
          parser.parse(Buffer.from(JSON.stringify({ device_id: 'a', timestamp: 0, temperature })), event);
          return event.values[0]!;
        });
        const mean = read.reduce((sum, x) => sum + x, 0) / read.length;
        const m2 = read.reduce((sum, x) => sum + (x - mean) ** 2, 0);
        const stddev = read.length > 1 ? Math.sqrt(m2 / (read.length - 1)) : 0;
        const scale = Math.max(...read.map(Math.abs), 1);
        expect(row!.count).toBe(read.length);
        expect(row!['min']).toBe(Math.min(...read));
        expect(row!['max']).toBe(Math.max(...read));
        expect(Math.abs(row!.avg - mean)).toBeLessThan(1e-12 * scale);
        expect(Math.abs(Number(row!['stddev']) - stddev)).toBeLessThan(1e-9 * scale);
        if (stddev > 1e-6 * scale) {
          const z = read.map((x) => Math.abs(x - mean) / stddev);
          expect(Math.abs(Number(row!['max_abs_z']) - Math.max(...z))).toBeLessThan(1e-4);
          const clear = z.every((one) => Math.abs(one - 2.5) > 1e-4);
          if (clear) expect(row!['outliers']).toBe(z.filter((one) => one > 2.5).length);
        }
      }),
    );
  });

  it('have no anomaly where all readings are the same, or there is one', async () => {
    const driver = new Driver();
    await driver.feedAll([
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((at) => reading('same', at, 0.1)),
      reading('single', 1, 5),
    ]);
    await driver.flush();
    expect(driver.rows()).toMatchObject([
      { device_id: 'same', stddev: 0, max_abs_z: 0, outliers: 0, actual_anomaly: 0 },
      { device_id: 'single', stddev: 0, max_abs_z: 0, outliers: 0, actual_anomaly: null },
    ]);
  });

  it('count the readings beyond 2.5 standard deviations', async () => {
    const driver = new Driver();
    const values = [...Array.from({ length: 20 }, (_, i) => 20 + (i % 2)), 40];
    await driver.feedAll(values.map((value, i) => reading('a', i, value)));
    await driver.flush();
    expect(driver.rows()[0]).toMatchObject({ count: 21, outliers: 1, actual_anomaly: 1 });
  });

  it('count them beyond the threshold of the deployment', async () => {
    const outliersAt = async (outlierZ: number): Promise<unknown> => {
      const driver = new Driver({ ...SETTINGS, outlierZ });
      await driver.feedAll([0, 0, 0, 0, 1].map((value, i) => reading('a', i, value)));
      await driver.flush();
      return driver.rows()[0]!['outliers'];
    };
    // One of five differs: its |Z| is 4/√5 = 1.79.
    expect(await outliersAt(1.7)).toBe(1);
    expect(await outliersAt(1.8)).toBe(0);
  });

  it('prefer the label to the test where events have one', async () => {
    const driver = new Driver();
    const values = [20, 20.1, 20.2, 20.1, 20, 20.1, 20.2, 20, 90];
    await driver.feedAll([
      ...values.map((value, i) => reading('labelled normal', i, value, { label: 0 })),
      ...values
        .slice(0, -1)
        .map((value, i) => reading('one labelled', i, value, i === 3 ? { label: 1 } : {})),
      ...values.map((value, i) => reading('tested', i, value)),
      ...values.slice(3).map((value, i) => reading('too few', i, value)),
    ]);
    await driver.flush();
    expect(driver.rows().map((row) => [row.device_id, row['actual_anomaly']])).toEqual([
      ['labelled normal', 0],
      ['one labelled', 1],
      ['tested', 1],
      ['too few', null],
    ]);
  });
});

describe('accounting', () => {
  const event = fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .record({
          device: fc.constantFrom('a', 'b', 'c'),
          at: fc.integer({ min: -200, max: 600 }),
          part: fc.constantFrom(0, 0.5, 0.000001),
        })
        .map(({ device, at, part }): TestEvent | string => reading(device, at + part)),
    },
    { weight: 1, arbitrary: fc.constantFrom<TestEvent | string>('', '{', '{}', reading('a', 1e5)) },
  );

  it('always adds up: read = windowed + late + duplicate + future + malformed + aside, and rows hold what was windowed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(event, fc.option(fc.integer({ min: -300, max: 700 }))), { maxLength: 150 }),
        async (events) => {
          const driver = new Driver();
          for (const [one, stamped] of events) {
            await driver.feed(one, stamped === null ? NaN : stamped * SECOND);
            const { read, windowed, late, duplicate, future, malformed } = driver.engine.counts;
            const { waiting: aside } = driver.engine.ahead;
            expect(windowed + late + duplicate + future + malformed + aside).toBe(read);
          }
          expect(driver.engine.counts.read).toBe(events.length);
          const inRows = (): number => driver.rows().reduce((sum, { count }) => sum + count, 0);
          expect(inRows() + driver.engine.open.readings).toBe(driver.engine.counts.windowed);
          await driver.flush();
          expect(inRows()).toBe(driver.engine.counts.windowed);
          const starts = driver.closed.map(({ start }) => start);
          expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
        },
      ),
    );
  });
});

describe('bounds on the state', () => {
  it('refuse and report what goes over them, window by window', async () => {
    const engine = new PartitionEngine(0, SETTINGS, { devicesPerWindow: 2, readingsPerWindow: 4 });
    const driver = new Driver(SETTINGS, noChange, engine);
    expect(
      await driver.feedAll([
        reading('a', 1),
        reading('b', 1),
        reading('c', 1),
        reading('a', 2),
        reading('a', 3),
        reading('a', 4),
        reading('a', 3),
        reading('c', 31),
      ]),
    ).toEqual([
      'windowed',
      'windowed',
      'malformed',
      'windowed',
      'windowed',
      'malformed',
      'duplicate',
      'windowed',
    ]);
    await driver.feed(reading('d', 2));
    expect(engine.detail).toBe('over-limit');
    expect(engine.devices.size).toBe(3);
    const { read, windowed, malformed, duplicate } = engine.counts;
    expect([read, windowed, malformed, duplicate]).toEqual([9, 5, 3, 1]);
  });

  it('forget devices that vanished, and know them again when they come back', async () => {
    const driver = new Driver();
    await driver.feed(reading('gone', 0, 1));
    for (let window = 0; window < 40; window += 1) await driver.feed(reading('stays', window * 30 + 1, 2));
    expect(driver.engine.devices.size).toBe(1);
    await driver.feed(reading('gone', 1_200, 3));
    expect(driver.engine.devices.size).toBe(2);
    await driver.flush();
    expect(driver.rows().filter(({ device_id }) => device_id === 'gone')).toMatchObject([
      { avg: 1 },
      { avg: 3 },
    ]);
  });

  it('hold through a flood of distinct devices, which is forgotten again', async () => {
    const driver = new Driver();
    const before = process.memoryUsage();
    for (let i = 0; i < 100_000; i += 1) await driver.feed(reading(`flood-${i}`, 1));
    expect(driver.engine.devices.size).toBe(100_000);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(150e6);
    for (let window = 1; window < 40; window += 1) await driver.feed(reading('a', window * 30));
    expect(driver.engine.devices.size).toBe(1);
    expect(driver.engine.history.size).toBe(1);
    expect(driver.rows().filter(({ device_id }) => device_id.startsWith('flood'))).toHaveLength(100_000);
  });
});
