import { type Source, sourceSchema } from '../../../core/contracts/source';
import { type Task, taskSchema } from '../../../core/contracts/task';
import { isoOfMicros } from '../../../core/contracts/time';
import { compileMapping } from '../../../core/ingest/mapping';
import { type MappedReading } from '../../../core/ingest/readings';

const TASK: Task = taskSchema.parse({
  target: { sensor: 'vibration', unit: 'mm/s', tolerance: 1, missing: [-999] },
  covariates: ['current', 'load'].map((sensor) => ({ sensor, unit: '' })),
  lags: 24,
  windowMicros: 60_000_000,
});
const AT = '2026-01-01T00:00:00Z';

function source(parts: unknown): Source {
  return sourceSchema.parse(parts);
}

function map(
  parts: unknown,
  message: unknown,
  topic?: string,
): ReturnType<ReturnType<typeof compileMapping>['ofJson']> {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  return compileMapping(source(parts), TASK).ofBytes(Buffer.from(text), topic);
}

/** A reading in short: device, time and values. */
function brief({ deviceId, micros, values }: MappedReading): unknown[] {
  return [deviceId, isoOfMicros(micros), ...values];
}

function readings(parts: unknown, message: unknown, topic?: string): unknown[] {
  const { readings, rejects } = map(parts, message, topic);
  expect(rejects).toEqual([]);
  return readings.map(brief);
}

function rejects(parts: unknown, message: unknown): unknown[] {
  const { readings, rejects } = map(parts, message);
  expect(readings).toEqual([]);
  return rejects.map(({ reason, path }) => [reason, path]);
}

describe('a message becomes readings', () => {
  it('finds fields inside nested objects and arrays', () => {
    const fields = {
      device_id: '/meta/ids/1',
      timestamp: { path: '/payload/at', unit: 'ms' },
      vibration: '/payload/v~1s/rms',
      current: { path: '/payload/amps', scale: 0.001, offset: 1 },
    };
    const message = {
      meta: { ids: ['x', 'pump-1'] },
      payload: { at: 1_767_225_600_000, 'v/s': { rms: 2.5 }, amps: 11_500 },
    };
    expect(readings({ topic: 't', fields }, message)).toEqual([['pump-1', AT, 2.5, 12.5, NaN]]);
  });

  it('takes canonical names where the source names no field', () => {
    const message = { device_id: 7, timestamp: AT, vibration: 1, current: null };
    expect(readings({ fields: {} }, message)).toEqual([['7', AT, 1, NaN, NaN]]);
    expect(readings({ fields: {} }, { device_id: 'a', timestamp: AT, data: 2 })).toEqual([
      ['a', AT, 2, NaN, NaN],
    ]);
  });

  it('reads every element of an array, and what an element lacks from the message', () => {
    const message = {
      device_id: 'g',
      load: 3,
      list: [
        { timestamp: AT, vibration: 1 },
        { timestamp: AT, vibration: 2, load: 4, device_id: 'h' },
      ],
    };
    expect(readings({ each: '/list' }, message)).toEqual([
      ['g', AT, 1, NaN, 3],
      ['h', AT, 2, NaN, 4],
    ]);
  });

  it('takes the whole message as the array where each is /', () => {
    const message = [
      { device_id: 'a', timestamp: AT, vibration: 1 },
      { device_id: 'b', timestamp: AT, vibration: 2 },
    ];
    expect(readings({ each: '/' }, message)).toEqual([
      ['a', AT, 1, NaN, NaN],
      ['b', AT, 2, NaN, NaN],
    ]);
  });

  it('takes an element itself as the reading', () => {
    const parts = { each: '/values', fields: { vibration: '/' } };
    expect(readings(parts, { device_id: 'a', timestamp: AT, values: [1, '2'] })).toEqual([
      ['a', AT, 1, NaN, NaN],
      ['a', AT, 2, NaN, NaN],
    ]);
  });

  it('takes one field a device from a wide message', () => {
    const message = {
      timestamp: AT,
      vibration_p1: 1,
      vibration_p2: '2.5',
      vibration_p3: null,
      vibration_: 9,
      load: 4,
    };
    expect(readings({ wide: 'vibration_*' }, message)).toEqual([
      ['p1', AT, 1, NaN, 4],
      ['p2', AT, 2.5, NaN, 4],
    ]);
  });

  it('takes a reading from inside of each field of a wide message', () => {
    const wide = { wide: '*/v', fields: { vibration: '/devices' } };
    const message = { timestamp: AT, devices: { a: { v: 1, ok: true } } };
    expect(readings(wide, message)).toEqual([['a', AT, 1, NaN, NaN]]);
    const without = { timestamp: AT, devices: { a: { ok: true } } };
    expect(rejects(wide, without)).toEqual([['missing-vibration', '/devices/a/v']]);
  });

  it('leaves the other fields of a wide message alone where the pattern fits them', () => {
    const message = { timestamp: AT, p1: 1, load: 4 };
    expect(readings({ wide: '*' }, message)).toEqual([['p1', AT, 1, NaN, 4]]);
    const inside = { timestamp: AT, values: { p1: 1, load: 4 } };
    expect(readings({ wide: '*', fields: { vibration: { path: '/values', scale: 10 } } }, inside)).toEqual([
      ['p1', AT, 10, NaN, NaN],
      ['load', AT, 40, NaN, NaN],
    ]);
  });

  it('takes a part of the MQTT topic as the device id', () => {
    const parts = {
      mqtt: { url: 'mqtt://h', topic: 'tele/+/SENSOR' },
      fields: { device_id: { topicPart: 1 } },
    };
    expect(readings(parts, { timestamp: AT, vibration: 1 }, 'tele/p-9/SENSOR')).toEqual([
      ['p-9', AT, 1, NaN, NaN],
    ]);
  });

  it('skips a byte order mark', () => {
    expect(
      readings({ fields: {} }, `\uFEFF{"device_id":"a","timestamp":"${AT}","vibration":1}`),
    ).toHaveLength(1);
  });

  it('keeps every digit of a long id', () => {
    const text = `{"device_id":12345678901234567890,"note":"12345678901234567890","timestamp":"${AT}","vibration":1}`;
    expect(readings({ fields: {} }, text)).toEqual([['12345678901234567890', AT, 1, NaN, NaN]]);
  });

  it('takes numbers that are written as texts', () => {
    expect(
      readings({ fields: {} }, { device_id: 'a', timestamp: AT, vibration: ' -1.5e1', load: '+.5' }),
    ).toEqual([['a', AT, -15, NaN, 0.5]]);
  });

  it('leaves a number that means "no reading" as it is', () => {
    const fields = { vibration: { path: '/vibration', scale: 0.1 } };
    expect(readings({ fields }, { device_id: 'a', timestamp: AT, vibration: -999 })).toEqual([
      ['a', AT, -999, NaN, NaN],
    ]);
  });

  it('takes label and record timestamp', () => {
    const { readings: found } = map(
      { fields: {} },
      { device_id: 'a', timestamp: AT, record_timestamp: 0, label: 1, vibration: 1 },
    );
    expect(found).toMatchObject([{ label: true, recordMicros: 0 }]);
  });

  it('loses a bad covariate alone, and says which', () => {
    const { readings: found } = map(
      { fields: {} },
      { device_id: 'a', timestamp: AT, vibration: 1, current: 'n/a', load: 2 },
    );
    expect(found).toMatchObject([{ values: [1, NaN, 2], badValues: ['current'] }]);
  });
});

describe('a time in a unit', () => {
  it.each([
    ['s', '1767225600', '2026-01-01T00:00:00Z'],
    ['s', '1767225600.25', '2026-01-01T00:00:00.250000Z'],
    ['s', '1767225600.123457', '2026-01-01T00:00:00.123457Z'],
    ['s', '"1767225600.1234567"', '2026-01-01T00:00:00.123457Z'],
    ['s', '1.7672256e9', '2026-01-01T00:00:00Z'],
    ['s', '-0.5', '1969-12-31T23:59:59.500000Z'],
    ['ms', '1767225600000.5', '2026-01-01T00:00:00.000500Z'],
    ['ms', '"1767225600001"', '2026-01-01T00:00:00.001000Z'],
    ['us', '1767225600000001', '2026-01-01T00:00:00.000001Z'],
    ['ns', '1767225600123456789', '2026-01-01T00:00:00.123456Z'],
    ['ns', '"1767225600123456789"', '2026-01-01T00:00:00.123456Z'],
    ['ns', '1767225600000000999', '2026-01-01T00:00:00Z'],
    ['ns', '-1', '1969-12-31T23:59:59.999999Z'],
    ['iso', '"2026-01-01 01:00:00+0100"', '2026-01-01T00:00:00Z'],
    ['iso', '1767225600000', '2026-01-01T00:00:00Z'],
  ])('of %s: %s', (unit, text, expected) => {
    const fields = { timestamp: { path: '/t', unit } };
    expect(readings({ fields }, `{"device_id":"a","t":${text},"vibration":1}`)).toEqual([
      ['a', expected, 1, NaN, NaN],
    ]);
  });

  it.each([
    ['s', '"soon"'],
    ['s', 'true'],
    ['s', '1e300'],
    ['ns', '""'],
    ['iso', '"1767225600000"'],
  ])('is refused: %s %s', (unit, text) => {
    const fields = { timestamp: { path: '/t', unit } };
    expect(rejects({ fields }, `{"device_id":"a","t":${text},"vibration":1}`)).toEqual([
      ['bad-timestamp', '/t'],
    ]);
  });
});

describe('what cannot be mapped is a reject with reason and path', () => {
  it.each([
    ['', 'empty', '/'],
    ['{"device_id":', 'not-json', '/'],
    ['{12345678901234567:1,"device_id":"a"}', 'not-json', '/'],
    ['{"device_id":"a","device_id":"b"}', 'duplicate-key', '/'],
    [`{"device_id":"a","timestamp":"${AT}","vibration":1,"meta":{"x":1,"x":2}}`, 'duplicate-key', '/'],
    ['[{"a":":"},{"a":1,"a":2}]', 'duplicate-key', '/'],
    ['[1]', 'not-an-object', '/'],
    ['{}', 'missing-device-id', '/device_id'],
    ['{"device_id":1.5}', 'bad-device-id', '/device_id'],
    ['{"device_id":""}', 'bad-device-id', '/device_id'],
    ['{"device_id":"a"}', 'missing-timestamp', '/timestamp'],
    [`{"device_id":"a","timestamp":"${AT}"}`, 'missing-vibration', '/vibration'],
    [`{"device_id":"a","timestamp":"${AT}","vibration":"n/a"}`, 'bad-vibration', '/vibration'],
    [`{"device_id":"a","timestamp":"${AT}","vibration":1e200}`, 'bad-vibration', '/vibration'],
    [`{"device_id":"a","timestamp":"${AT}","vibration":1,"mark":"ok"}`, 'bad-label', '/mark'],
    [`{"device_id":"a","timestamp":"${AT}","vibration":1,"at":"x"}`, 'bad-record-timestamp', '/at'],
  ])('%s', (message, reason, path) => {
    const fields = { label: '/mark', record_timestamp: '/at' };
    expect(rejects({ fields }, message)).toEqual([[reason, path]]);
  });

  it.each([
    ['label', '"Pump 1"'],
    ['label', '7'],
    ['record_timestamp', '"yesterday"'],
    ['record_timestamp', '{}'],
  ])(
    'passes over a field %s of %s that is something else and that the source does not name',
    (name, text) => {
      const message = `{"device_id":"a","timestamp":"${AT}","vibration":1,"${name}":${text}}`;
      expect(readings({ fields: {} }, message)).toEqual([['a', AT, 1, NaN, NaN]]);
    },
  );

  it('names the element of an array, and keeps the others', () => {
    const message = {
      timestamp: AT,
      list: [
        { device_id: 'a', vibration: 1 },
        { device_id: 'b', vibration: 'x' },
      ],
    };
    const { readings: found, rejects: refused } = map({ each: '/list' }, message);
    expect(found.map(brief)).toEqual([['a', AT, 1, NaN, NaN]]);
    expect(refused).toEqual([
      { reason: 'bad-vibration', path: '/list/1/vibration', detail: '"x" is no reading' },
    ]);
  });

  it('says that no reading was found', () => {
    expect(rejects({ each: '/list' }, { list: [] })).toEqual([['no-readings', '/list']]);
    expect(rejects({ each: '/list' }, { list: {} })).toEqual([['no-readings', '/list']]);
    expect(rejects({ wide: 't_*' }, { timestamp: AT })).toEqual([['no-readings', '/']]);
  });

  it('finds no field that an object merely inherits', () => {
    const fields = { device_id: '/constructor/name' };
    expect(rejects({ fields }, { timestamp: AT, vibration: 1 })).toEqual([
      ['missing-device-id', '/constructor/name'],
    ]);
  });
});

/** What takes the square of its length ends none of these within the time of a test. */
describe('a message takes a time of its length, whatever is in it', () => {
  const MANY = 2_000;
  const LONG = 300_000;
  const empty = Array.from({ length: MANY }, () => ({}));
  const each = { each: '/list' };
  const reasons = (message: unknown): unknown[] => [
    ...new Set(map(each, message).rejects.map(({ reason }) => reason)),
  ];

  it('also a text that looks like a number for long, and is none', () => {
    const like = `${'1'.repeat(LONG)}x`;
    expect(reasons({ device_id: 1, timestamp: AT, vibration: like, list: empty })).toEqual(['bad-vibration']);
    expect(reasons({ device_id: 1, timestamp: like, vibration: 1, list: empty })).toEqual(['bad-timestamp']);
  });

  it('also colons in texts, which are no keys', () => {
    const message = `{"x":"${':'.repeat(LONG)}","y":{"a":":\\":"},"device_id":"a","timestamp":"${AT}","vibration":1}`;
    expect(map({}, message)).toMatchObject({ rejects: [], readings: [{ deviceId: 'a' }] });
  });

  it('also one whose readings all quote the same large value', () => {
    expect(reasons({ device_id: Array(LONG).fill(1), list: empty })).toEqual(['bad-device-id']);
  });

  it('also a text that is never closed, with long integers behind its quotes', () => {
    expect(rejects({}, `"${'\\"'.repeat(LONG)}12345678901234567`)).toEqual([['not-json', '/']]);
  });

  it('and a long text costs the long integer beside it no digit', () => {
    const message = `{"x":"${'\\"'.repeat(LONG)}","device_id":12345678901234567891,"timestamp":"${AT}","vibration":1}`;
    expect(readings({}, message)).toEqual([['12345678901234567891', AT, 1, NaN, NaN]]);
  });
});

describe('parts that exclude one another', () => {
  it('are a device id and a wide pattern', () => {
    expect(() => compileMapping(source({ wide: 't_*', fields: { device_id: '/id' } }), TASK)).toThrow(
      /what \* stands for/,
    );
  });

  it('are a part of the topic and no MQTT', () => {
    expect(() =>
      compileMapping(source({ topic: 't', fields: { device_id: { topicPart: 0 } } }), TASK),
    ).toThrow(/only where MQTT/);
  });
});
