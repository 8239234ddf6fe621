import { type PlausibleSpan, reasonOfDetail } from '../../../core/contracts/events';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { DEFAULT_TASK, type Task, taskSchema } from '../../../core/contracts/task';
import { emptyEvent, type EventFields } from '../../../core/stream/parse/event';
import { EventParser } from '../../../core/stream/parse/parse';
import { Driver, reading, SETTINGS } from './support';

const TASK: Task = taskSchema.parse({
  ...DEFAULT_TASK,
  target: { ...DEFAULT_TASK.target, min: -40, max: 85, missing: [-999, 85] },
  covariates: [
    { sensor: 'humidity', unit: '%', min: 0, max: 100 },
    { sensor: 'pressure', unit: 'hPa', missing: [0] },
  ],
});

function parse(
  fields: object,
  plausible?: PlausibleSpan,
): { detail: string | undefined; event: EventFields } {
  const event = emptyEvent(3);
  const text = JSON.stringify({ device_id: 'a', timestamp: 1_767_268_800_000, ...fields });
  return { detail: new EventParser(TASK, plausible).parse(Buffer.from(text), event), event };
}

describe('a number that is no reading', () => {
  it.each([
    [-40.01, 'out-of-range'],
    [85.01, 'out-of-range'],
    [-999, 'sentinel-value'],
    // In the range, and what this sensor sends before its first reading.
    [85, 'sentinel-value'],
    [-40, undefined],
    [84.99, undefined],
  ])('makes an event with the target %d: %s', (temperature, detail) => {
    expect(parse({ temperature }).detail).toBe(detail);
    expect(parse({ data: temperature }).detail).toBe(detail);
  });

  it.each([
    [{ humidity: 100.01, pressure: 1013 }, [NaN, 1013], 1, 0],
    [{ humidity: 100, pressure: 0 }, [100, NaN], 1, 0],
    [{ humidity: -1, pressure: 'n/a' }, [NaN, NaN], 2, 0],
    [{ humidity: 0 }, [0, NaN], 0, 1],
  ])('costs a covariate of %j its value alone', (covariates, values, bad, absent) => {
    const { detail, event } = parse({ temperature: 20, ...covariates });
    expect(detail).toBeUndefined();
    expect([...event.values]).toEqual([20, ...values]);
    expect([event.badValues, event.absentValues]).toEqual([bad, absent]);
  });
});

describe('an event time', () => {
  const { plausible } = DEFAULT_STREAM_SETTINGS;

  it.each<[string, unknown, string | undefined]>([
    ['the first plausible one', '2000-01-01', undefined],
    ['the last plausible one', '2100-01-01', undefined],
    ['a clock that was never set', '1980-01-06T00:00:00Z', 'implausible-time'],
    ['far ahead', '2106-02-07T06:28:15Z', 'implausible-time'],
    ['seconds', 1_767_268_800, 'implausible-time: epoch seconds?'],
    ['seconds with a fraction', 1_767_268_800.25, 'implausible-time: epoch seconds?'],
    ['microseconds', 1_767_268_800_000_000, 'implausible-time: epoch microseconds?'],
    ['nanoseconds', 1_767_268_800_000_000_000, 'implausible-time: epoch nanoseconds?'],
    ['a number that is a time in no unit', 1e300, 'bad-timestamp'],
    ['zero', 0, 'implausible-time'],
    ['no time', 'noon', 'bad-timestamp'],
  ])('that is %s', (_, timestamp, detail) => {
    expect(parse({ temperature: 20, timestamp }, plausible).detail).toBe(detail);
  });

  it('is counted under its reason, whatever the hint', () => {
    expect(reasonOfDetail('implausible-time: epoch seconds?')).toBe('implausible-time');
    expect(reasonOfDetail('over-limit')).toBe('over-limit');
  });

  it('is never implausible in a deployment that has logged no span', () => {
    expect(parse({ temperature: 20, timestamp: 1_767_268_800 }).detail).toBeUndefined();
    expect(parse({ temperature: 20, timestamp: 1_767_268_800_000_000 }).detail).toBe('bad-timestamp');
  });
});

describe('values that are left out', () => {
  it('add up with those in windows to one a covariate and windowed event', async () => {
    const driver = new Driver({ ...SETTINGS, task: { ...TASK, windowMicros: SETTINGS.task.windowMicros } });
    await driver.feedAll([
      reading('a', 1, 20, { humidity: 40, pressure: 1013 }),
      reading('a', 2, 20, { humidity: 'n/a', pressure: 0 }),
      reading('a', 3, 20, { humidity: 140, pressure: null }),
      reading('a', 4, 20, { pressure: 1015 }),
      // Neither a duplicate nor a reject counts.
      reading('a', 4, 20, { humidity: 'n/a' }),
      reading('a', 5, 85, { humidity: 'n/a' }),
    ]);
    const { windowed, duplicate, malformed, bad_values, absent_values } = driver.engine.counts;
    expect([windowed, duplicate, malformed]).toEqual([4, 1, 1]);
    const inWindows = 1 + 2;
    expect([bad_values, absent_values]).toEqual([3, 2]);
    expect(inWindows + bad_values + absent_values).toBe(2 * windowed);
    await driver.flush();
    expect(driver.rows()).toMatchObject([{ count: 4, humidity_avg: 40, pressure_avg: 1014 }]);
  });
});
