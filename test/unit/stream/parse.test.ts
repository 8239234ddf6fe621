import fc from 'fast-check';
import { type MalformedDetail } from '../../../core/contracts/events';
import { DEFAULT_TASK, sensorsOf } from '../../../core/contracts/task';
import { emptyEvent, type EventFields, hashOfId } from '../../../core/stream/parse/event';
import { EventParser } from '../../../core/stream/parse/parse';
import { FastParser } from '../../../core/stream/parse/parse-fast';
import { StrictParser } from '../../../core/stream/parse/parse-strict';

const parser = new EventParser(DEFAULT_TASK);
const SENSORS = sensorsOf(DEFAULT_TASK).length;

const AT = '2020-01-01T00:00:00Z';
const MICROS = 1_577_836_800_000_000;

function parse(input: string | Uint8Array): {
  detail: MalformedDetail | undefined;
  event: EventFields;
  id: string;
} {
  const event = emptyEvent(SENSORS);
  const detail = parser.parse(typeof input === 'string' ? Buffer.from(input) : input, event);
  return { detail, event, id: Buffer.from(event.idBytes.subarray(event.idStart, event.idEnd)).toString() };
}

const good = (more: object = {}): string =>
  JSON.stringify({ device_id: 'a', timestamp: AT, temperature: 21.5, ...more });

describe('a good event', () => {
  it('has a device, a time and a temperature; the rest may be missing', () => {
    const { detail, event, id } = parse(good());
    expect(detail).toBeUndefined();
    expect(id).toBe('a');
    expect(event).toMatchObject({
      micros: MICROS,
      values: Float64Array.of(21.5, NaN, NaN),
      label: -1,
      recordMicros: NaN,
    });
  });

  it('may have humidity, pressure, a label and a record timestamp', () => {
    const { detail, event } = parse(
      good({ humidity: 40, pressure: 1013.25, label: 1, record_timestamp: 1_577_836_801_000 }),
    );
    expect(detail).toBeUndefined();
    expect(event).toMatchObject({
      values: Float64Array.of(21.5, 40, 1013.25),
      label: 1,
      recordMicros: MICROS + 1_000_000,
    });
  });

  it('may call its temperature data', () => {
    expect(parse(JSON.stringify({ device_id: 'a', timestamp: AT, data: -3 })).event.values[0]).toBe(-3);
  });

  it('may leave a value out by null', () => {
    const { detail, event } = parse(good({ humidity: null, pressure: null, label: null, data: null }));
    expect(detail).toBeUndefined();
    expect(event).toMatchObject({ values: Float64Array.of(21.5, NaN, NaN), label: -1 });
  });

  it.each<[string, unknown]>([
    ['text', 'n/a'],
    ['an empty text', ''],
    ['a number as a string', '40'],
    ['a text with escapes', '"\\'],
    ['true', true],
    ['an array', [1013, { a: [] }]],
    ['an object', { value: 40 }],
    ['a number whose square is too large for a double', 1e160],
  ])('loses a covariate that is %s, and nothing else', (_, humidity) => {
    const { detail, event } = parse(good({ humidity, pressure: 1013 }));
    expect(detail).toBeUndefined();
    expect(event).toMatchObject({ values: Float64Array.of(21.5, NaN, 1013), badValues: 1, absentValues: 0 });
  });

  it('says how many covariates it does not have', () => {
    expect(parse(good()).event).toMatchObject({ badValues: 0, absentValues: 2 });
    expect(parse(good({ humidity: null, pressure: 1 })).event).toMatchObject({
      badValues: 0,
      absentValues: 1,
    });
  });

  it('may have a byte order mark before it', () => {
    expect(parse(`\ufeff${good()}`)).toMatchObject({ detail: undefined, id: 'a' });
  });

  it('may have fields that an event does not have, and containers in them', () => {
    expect(parse(good({ firmware: '1.2', place: { room: [1, 2, { x: ':' }] } })).detail).toBeUndefined();
  });

  it('may spell its strings with escapes and other scripts', () => {
    expect(parse('{"device_id":"\\u0061\\n","timestamp":"2020\\u002d01-01","temperature":1}').id).toBe('a\n');
    expect(parse(good({ device_id: 'датчик-7 🌡' })).id).toBe('датчик-7 🌡');
  });

  it.each([true, false, 0, 1])('may have the label %j', (label) => {
    expect(parse(good({ label })).event.label).toBe(Number(label));
  });

  it('has no byte-order mark before its id, which readers would take away', () => {
    expect(parse(good({ device_id: '\ufeffbom' })).detail).toBe('bad-device-id');
    expect(parse(good({ device_id: 'bom\ufeff' })).detail).toBeUndefined();
  });

  it('has an id of up to 256 characters', () => {
    expect(parse(good({ device_id: 'x'.repeat(256) })).detail).toBeUndefined();
    expect(parse(good({ device_id: 'ж'.repeat(256) })).detail).toBeUndefined();
  });
});

describe('what is no event is one reject, with its reason', () => {
  const deep = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  it.each<[string, string | Uint8Array, MalformedDetail]>([
    ['an empty message', '', 'empty'],
    ['a megabyte', good({ note: 'x'.repeat(1_000_000) }), 'too-large'],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('{"device_id":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      'not-utf8',
    ],
    ['half a character', Buffer.from(good({ device_id: 'é' })).subarray(0, 15), 'not-utf8'],
    ['text', 'hello', 'not-json'],
    ['JSON that is cut short', good().slice(0, -1), 'not-json'],
    ['something after the object', `${good()}{}`, 'not-json'],
    ['two byte order marks', `\ufeff\ufeff${good()}`, 'not-json'],
    ['nothing but a byte order mark', '\ufeff', 'empty'],
    ['NaN', '{"device_id":"a","timestamp":0,"temperature":NaN}', 'not-json'],
    ['Infinity', '{"device_id":"a","timestamp":0,"temperature":-Infinity}', 'not-json'],
    [
      'a number too large for a double',
      '{"device_id":"a","timestamp":0,"temperature":1e999}',
      'bad-temperature',
    ],
    ['a number whose square is', '{"device_id":"a","timestamp":0,"temperature":1e160}', 'bad-temperature'],
    ['leading zeros', '{"device_id":"a","timestamp":0,"temperature":01}', 'not-json'],
    ['a plus sign', '{"device_id":"a","timestamp":0,"temperature":+1}', 'not-json'],
    ['a bare fraction', '{"device_id":"a","timestamp":0,"temperature":.5}', 'not-json'],
    ['a trailing comma', '{"device_id":"a","timestamp":0,"temperature":1,}', 'not-json'],
    ['deep nesting', deep(30_000), 'nested-too-deep'],
    ['nesting that never closes', '['.repeat(60_000), 'nested-too-deep'],
    ['an array', '[1,2]', 'not-an-object'],
    ['null', 'null', 'not-an-object'],
    ['a number', '7', 'not-an-object'],
    ['a key twice', '{"device_id":"a","timestamp":0,"temperature":1,"temperature":2}', 'duplicate-key'],
    [
      'a key twice in two spellings',
      '{"device_id":"a","timestamp":0,"temperature":1,"temp\\u0065rature":2}',
      'duplicate-key',
    ],
    ['an unknown key twice', '{"device_id":"a","timestamp":0,"temperature":1,"x":1,"x":1}', 'duplicate-key'],
    [
      'a key twice further in',
      '{"device_id":"a","timestamp":0,"temperature":1,"x":{"y":1,"y":2}}',
      'duplicate-key',
    ],
    ['__proto__', '{"__proto__":{"x":1},"device_id":"a","timestamp":0,"temperature":1}', 'forbidden-key'],
    [
      '__proto__ further in',
      '{"device_id":"a","timestamp":0,"temperature":1,"x":[{"__proto__":1}]}',
      'forbidden-key',
    ],
    [
      'constructor',
      '{"constructor":{"prototype":{}},"device_id":"a","timestamp":0,"temperature":1}',
      'forbidden-key',
    ],
    ['an empty object', '{}', 'missing-device-id'],
    ['no id', JSON.stringify({ timestamp: AT, temperature: 1 }), 'missing-device-id'],
    ['an empty id', good({ device_id: '' }), 'bad-device-id'],
    ['an id of 10,000 characters', good({ device_id: 'x'.repeat(10_000) }), 'bad-device-id'],
    ['an id that is a number', good({ device_id: 7 }), 'bad-device-id'],
    [
      'an id that is half a surrogate pair',
      '{"device_id":"\\ud800","timestamp":0,"temperature":1}',
      'bad-device-id',
    ],
    ['no time', JSON.stringify({ device_id: 'a', temperature: 1 }), 'missing-timestamp'],
    ['a time that is none', good({ timestamp: 'noon' }), 'bad-timestamp'],
    ['a time that is a number as a string', good({ timestamp: '1577836800000' }), 'bad-timestamp'],
    ['a time beyond all bounds', good({ timestamp: 1e300 }), 'bad-timestamp'],
    ['a time that is an object', good({ timestamp: {} }), 'bad-timestamp'],
    ['a record time that is none', good({ record_timestamp: 'noon' }), 'bad-record-timestamp'],
    ['no temperature', JSON.stringify({ device_id: 'a', timestamp: AT }), 'missing-temperature'],
    ['a temperature that is null', good({ temperature: null }), 'missing-temperature'],
    ['a temperature as a string', good({ temperature: '21.5' }), 'bad-temperature'],
    ['data as a string', JSON.stringify({ device_id: 'a', timestamp: AT, data: '1' }), 'bad-temperature'],
    ['a label of some other kind', good({ label: 'maybe' }), 'bad-label'],
    ['a label of 2', good({ label: 2 }), 'bad-label'],
  ])('%s', (_, input, detail) => {
    expect(parse(input).detail).toBe(detail);
  });

  it('and nothing that came before leaks into it', () => {
    const event = emptyEvent(SENSORS);
    expect(
      parser.parse(Buffer.from(good({ humidity: 40, pressure: 1000, label: 1, record_timestamp: 0 })), event),
    ).toBeUndefined();
    expect(parser.parse(Buffer.from(good()), event)).toBeUndefined();
    expect(event).toMatchObject({ values: Float64Array.of(21.5, NaN, NaN), label: -1, recordMicros: NaN });
  });

  it('never pollutes a prototype', () => {
    parse('{"__proto__":{"polluted":1},"device_id":"a","timestamp":0,"temperature":1}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('the fast scanner', () => {
  const fast = new FastParser(DEFAULT_TASK);
  const strict = new StrictParser(DEFAULT_TASK);
  /** JSON numbers in many spellings, some of them wrong. */
  const numberText = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.integer().map(String),
    fc
      .tuple(fc.integer({ min: -9_999, max: 9_999 }), fc.nat(999))
      .map(([whole, part]) => `${whole}.${String(part).padStart(3, '0')}`),
    fc.stringMatching(/^-?\d{1,25}(\.\d{0,25})?([eE][+-]?\d{1,4})?$/),
    fc.constantFrom('-0', '0', '-', '1e', '01', '1.', 'null', 'true', '"1"', '[]', '{}', 'NaN'),
  );
  const timeText = fc.oneof(
    numberText,
    fc.date({ noInvalidDate: true }).map((date) => JSON.stringify(date.toISOString())),
    fc.constantFrom('"2020-01-01T00:00:00"', '"2020-01-01T00:00:00+01:00"', '"x"', 'null'),
  );
  const idText = fc.oneof(
    fc.stringMatching(/^[a-z0-9-]{0,20}$/).map((id) => JSON.stringify(id)),
    fc.string({ unit: 'binary' }).map((id) => JSON.stringify(id)),
    fc.constantFrom('7', 'null', '"\\u0061"', '"a\u0001"'),
  );
  const labelText = fc.oneof(
    fc.constantFrom('0', '1', 'true', 'false', 'null', '2', '"x"', '00', '1.0', '0.5'),
    numberText,
  );
  /** Values of any kind, in many spellings, some of them wrong; keys are few, so that some stand twice. */
  const extraKey = fc.constantFrom('a', 'b', 'temperature', 'é', '', '\\u0061', '__proto__', 'device_id');
  const { extraValue } = fc.letrec((tie) => ({
    extraValue: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      numberText,
      fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
      fc.constantFrom(
        'true',
        'false',
        'null',
        '"\\u00e9\\n\\/"',
        '"\\x"',
        '"\\u12g4"',
        '"\ud83c\udf21 é"',
        'tru',
        '"',
      ),
      fc.array(tie('extraValue').map(String), { maxLength: 3 }).map((items) => `[${items.join(' , ')}]`),
      fc
        .array(fc.tuple(extraKey, tie('extraValue').map(String)), { maxLength: 3 })
        .map((members) => `{ ${members.map(([key, value]) => `"${key}" : ${value}`).join(',')} }`),
      fc.constantFrom(
        '[1,]',
        '{"a":1,}',
        '{"a"}',
        '{,}',
        '[',
        '{',
        `${'['.repeat(15)}${']'.repeat(15)}`,
        `${'['.repeat(16)}${']'.repeat(16)}`,
      ),
    ),
  }));
  const member = fc.oneof(
    fc
      .tuple(fc.oneof(extraKey, fc.constantFrom('x', 'humidity')), extraValue)
      .map(([key, text]) => `"${key}":${text}`),
    idText.map((text) => `"device_id":${text}`),
    timeText.map((text) => `"timestamp":${text}`),
    timeText.map((text) => `"record_timestamp":${text}`),
    fc
      .tuple(fc.constantFrom('temperature', 'data', 'humidity', 'pressure'), numberText)
      .map(([key, text]) => `"${key}":${text}`),
    labelText.map((text) => `"label":${text}`),
    fc
      .tuple(fc.constantFrom('x', 'device_ix', 'labem', '__proto__', 'temperaturf'), numberText)
      .map(([key, text]) => `"${key}":${text}`),
  );
  const likelyId = fc.oneof(
    { weight: 9, arbitrary: fc.stringMatching(/^[a-z0-9-]{1,20}$/).map((id) => JSON.stringify(id)) },
    { weight: 2, arbitrary: fc.constantFrom('"датчик-7 🌡"', '"北"', '"\ufeffa"', `"${'ж'.repeat(129)}"`) },
    idText,
  );
  const likelyTime = fc.oneof(
    {
      weight: 9,
      arbitrary: fc.constantFrom(
        '"2020-01-01T00:00:00"',
        '"1969-12-31T23:59:59.999999+01:00"',
        '-5',
        '1577836800000.25',
      ),
    },
    timeText,
  );
  const usual = fc
    .tuple(likelyId, likelyTime, numberText)
    .map(([id, time, value]) => [`"device_id":${id}`, `"timestamp":${time}`, `"temperature":${value}`]);
  const blank = fc.constantFrom('', ' ', '\n', '\t ', '\r\n');
  const document = fc
    .tuple(
      usual,
      fc.array(member, { maxLength: 4 }),
      blank,
      blank,
      fc.constantFrom('', '', '', ',', '}', 'x'),
    )
    .map(
      ([first, more, before, between, after]) =>
        `${before}{${[...first, ...more].join(`${between},${between}`)}}${after}${before}`,
    );

  const comparable = (event: EventFields): unknown => ({
    ...event,
    idBytes: Buffer.from(event.idBytes.subarray(event.idStart, event.idEnd)).toString('hex'),
    idStart: 0,
    idEnd: 0,
  });

  /** One byte of an event changed: what was UTF-8 may be none any more. */
  const damaged = fc
    .tuple(
      document,
      fc.oneof(
        { weight: 5, arbitrary: fc.constant(null) },
        fc.tuple(fc.nat(), fc.integer({ min: 0x80, max: 0xff })),
      ),
    )
    .map(([text, damage]) => {
      const bytes = Buffer.from(text);
      if (damage !== null) bytes[damage[0] % bytes.length] = damage[1];
      return bytes;
    });

  it('agrees with the strict parser on everything it accepts', () => {
    let accepted = 0;
    fc.assert(
      fc.property(damaged, (bytes) => {
        const scanned = emptyEvent(SENSORS);
        const expected = emptyEvent(SENSORS);
        if (!fast.parse(bytes, scanned)) return;
        accepted += 1;
        expect(strict.parse(bytes, expected)).toBeUndefined();
        expect(comparable(scanned)).toEqual(comparable(expected));
        expect(scanned.idHash).toBe(hashOfId(scanned.idBytes, scanned.idStart, scanned.idEnd));
      }),
      { numRuns: 10_000 },
    );
    expect(accepted).toBeGreaterThan(400);
  });

  it('reads any event in the usual spelling itself, whatever other fields it has', () => {
    const stringUnit = fc.constantFrom('a', 'b', ' ', 'é', '🌡', '{');
    const anything = fc.jsonValue({ maxDepth: 3, stringUnit });
    const extra = fc.dictionary(fc.string({ unit: stringUnit }), anything);
    fc.assert(
      fc.property(extra, anything, anything, (fields, humidity, pressure) => {
        const bytes = Buffer.from(good({ device_id: 'датчик', humidity, ...fields, pressure }));
        const [scanned, expected] = [emptyEvent(SENSORS), emptyEvent(SENSORS)];
        expect(strict.parse(bytes, expected)).toBeUndefined();
        expect(new FastParser(DEFAULT_TASK).parse(bytes, scanned)).toBe(true);
        expect(comparable(scanned)).toEqual(comparable(expected));
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes each sequence of bytes for UTF-8 in an extra field that the strict parser takes for it', () => {
    const [head, tail] = [
      Buffer.from('{"device_id":"a","timestamp":0,"temperature":1,"x":"'),
      Buffer.from('"}'),
    ];
    const lead = fc.constantFrom(
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xe1,
      0xed,
      0xef,
      0xf0,
      0xf3,
      0xf4,
      0xf5,
      0xff,
      0x80,
    );
    const next = fc.constantFrom(0x20, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2);
    fc.assert(
      fc.property(fc.tuple(lead, fc.array(next, { maxLength: 4 })), ([first, more]) => {
        const bytes = Buffer.concat([head, Buffer.from([first, ...more]), tail]);
        expect(fast.parse(bytes, emptyEvent(SENSORS))).toBe(
          strict.parse(bytes, emptyEvent(SENSORS)) === undefined,
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it('notices a key that stands twice at any depth, and forgets the keys of one event in the next', () => {
    const event = (extra: string): Buffer =>
      Buffer.from(`{"device_id":"a","timestamp":0,"temperature":1,${extra}}`);
    const parses = (extra: string): boolean => fast.parse(event(extra), emptyEvent(SENSORS));
    expect(parses('"x":{"x":{"x":1},"y":[{"x":1},{"x":2}]},"y":1')).toBe(true);
    expect(parses('"x":{"x":{"x":1},"y":[{"x":1},{"x":2}]},"y":1')).toBe(true);
    expect(parses('"x":{"x":{"x":1},"y":1,"x":2}')).toBe(false);
    expect(parses('"x":1,"y":{"x":1},"x":1')).toBe(false);
  });

  it('stays right when every event brings new fields', () => {
    const own = new FastParser(DEFAULT_TASK);
    const text = (i: number): string => good({ [`field-${i}`]: i, [`other-${i}`]: { [`inner-${i}`]: i } });
    const accepted = Array.from({ length: 500 }, (_, i) =>
      own.parse(Buffer.from(text(i)), emptyEvent(SENSORS)),
    ).filter(Boolean).length;
    expect(accepted).toBeGreaterThan(450);
    const twice = good().replace('}', ',"field-7":1,"field-7":1}');
    expect(own.parse(Buffer.from(twice), emptyEvent(SENSORS))).toBe(false);
  });

  it('reads an event in the middle of a buffer as it reads it alone, whatever stands around it', () => {
    const around = fc.oneof(document, fc.constantFrom('', '}', '1', 'e5', '"', ' '));
    fc.assert(
      fc.property(around, fc.oneof(document, fc.constant('')), around, (before, text, behind) => {
        const [alone, within] = [emptyEvent(SENSORS), emptyEvent(SENSORS)];
        const start = Buffer.byteLength(before);
        const end = start + Buffer.byteLength(text);
        const detail = parser.parse(Buffer.from(before + text + behind), within, start, end);
        expect(detail).toBe(parser.parse(Buffer.from(text), alone));
        if (detail === undefined) expect(comparable(within)).toEqual(comparable(alone));
      }),
      { numRuns: 3_000 },
    );
  });

  it('reads every short decimal as the double nearest to it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^-?(0|[1-9]\d{0,9})\.\d{1,8}$/), (text) => {
        expect(parse(`{"device_id":"a","timestamp":0,"temperature":${text}}`).event.values[0]).toBe(
          Number(text) + 0,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('accepts the common forms itself, so that the strict parser is the exception', () => {
    for (const text of [
      good(),
      good({ humidity: 40.25, pressure: 1013.1, label: 0 }),
      JSON.stringify({ device_id: 'a', timestamp: 1_577_836_800_000, data: 1e-7 }),
      ` ${JSON.stringify({ device_id: 'a', timestamp: AT, temperature: -1, humidity: null }, null, 2)}\n`,
      good({ device_id: 'датчик-7 🌡' }),
      good({ humidity: 'n/a', pressure: { value: [1013] } }),
      good({ rssi: -71, firmware: '1.4\n', place: { room: [1, null, { x: ':' }] }, é: true }),
    ]) {
      expect(fast.parse(Buffer.from(text), emptyEvent(SENSORS))).toBe(true);
    }
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parser.parse(bytes, emptyEvent(SENSORS));
      }),
    );
  });
});
