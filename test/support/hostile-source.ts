import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type OutgoingMessage } from '../../core/platform/kafka';
import { garbage, mutated, TWO_53 } from './hostile-values';

/** What the fields of a source's message are read from, in the tests that send these. */
export const SOURCE_SHAPE = {
  each: '/readings',
  fields: {
    device_id: '/meta/id',
    timestamp: { path: '/at', unit: 's' },
    temperature: '/values/t',
    humidity: { path: '/values/h', scale: 0.1 },
  },
} as const;

/** 2026-01-01 in seconds since 1970. */
export const SOURCE_START = Date.UTC(2026, 0, 1) / 1_000;

/** A broker takes 1 MB with all that is around it. */
const LARGEST = 900_000;

/** Times of no unit, of another, and of years that are far away or none. */
const times = fc.constantFrom<unknown>(
  ...[
    TWO_53,
    -TWO_53,
    1e308,
    4_102_444_800,
    253_402_300_800,
    1.5,
    -1,
    0,
    SOURCE_START * 1e3,
    SOURCE_START * 1e9,
  ],
  ...['now', '', '9'.repeat(400), `${'1'.repeat(300_000)}x`, '1e999', [SOURCE_START], { at: 1 }, true, null],
);
const values = fc.constantFrom<unknown>(
  ...[TWO_53, TWO_53 + 2, 1e308, -0, 5e-324, '21.5', ' 21 ', 'NaN', 'Infinity', '0x10', '1'.repeat(300_000)],
  ...[`${'1'.repeat(300_000)}x`, `${' '.repeat(300_000)}x`, [21], {}, true, '\ud800', 'x\u0000y', null],
);
const ids = fc.constantFrom<unknown>(
  ...[
    '__proto__',
    'constructor',
    'toString',
    '',
    ' ',
    '\ud800',
    'x\u0000y',
    'x'.repeat(300_000),
    '🙂'.repeat(200),
  ],
  ...[TWO_53 - 1, TWO_53, 1.5, -1, [], ['a'], {}, true, null],
);

/** Readings in which some part is not what it should be. */
const readings = fc
  .record(
    { id: fc.oneof(ids, fc.nat(9)), t: fc.oneof(values, fc.nat(30)), h: values, at: times },
    { requiredKeys: [] },
  )
  .map(({ id, at, ...rest }) => ({ meta: { id }, values: rest, ...(at !== undefined && { at }) }));

const mixed = fc.array(
  fc.oneof(
    readings,
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(null, [], [[[]]], '', 0, '__proto__'),
  ),
  { maxLength: 50 },
);

/** Lists of so much that each byte brings a reject, or that each element looks at the same large value again. */
const multiplied = fc.constantFrom(
  `{"readings":[${Array(20_000).fill('0').join(',')}]}`,
  `{"meta":{"id":[${Array(60_000).fill('1').join(',')}]},"readings":[${Array(5_000).fill('{}').join(',')}]}`,
  `{"meta":{"id":1},"at":"${'1'.repeat(300_000)}x","readings":[${Array(5_000).fill('{}').join(',')}]}`,
  `{"meta":{"id":1},"at":1,"values":{"t":"${'1'.repeat(300_000)}x"},"readings":[${Array(5_000).fill('{}').join(',')}]}`,
  `"${'\\"'.repeat(400_000)}12345678901234567`,
  `{"readings":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
  `{"x":"${'y'.repeat(800_000)}","n":12345678901234567890}`,
);

const template = { at: SOURCE_START, readings: [{ meta: { id: 1 }, values: { t: 21, h: 415 } }] };
const polluting =
  '{"__proto__":{"readings":[{"meta":{"id":1}}]},"constructor":{"prototype":{"at":1}},"readings":{"length":3}}';

/** The bytes of a right message in some other dress. */
const dressed = fc.constantFrom<(text: string) => Buffer>(
  (text) => Buffer.from(text, 'utf16le'),
  (text) => Buffer.from(text.replace('1', '\u00e9'), 'latin1'),
  (text) => Buffer.from(`\ufeff${text}`),
  (text) => Buffer.from(`\ufeff\ufeff${text}`),
  (text) => gzipSync(text),
  (text) => deflateSync(text),
  (text) => gzipSync(text).subarray(5),
  (text) => Buffer.from(`${text}\n${text}`),
);

const text = fc.oneof(
  { weight: 4, arbitrary: mutated(template) },
  { weight: 4, arbitrary: mixed.map((list) => JSON.stringify({ at: SOURCE_START, readings: list })) },
  { weight: 2, arbitrary: fc.record({ at: times, readings: mixed }).map((parts) => JSON.stringify(parts)) },
  fc.constant(polluting),
);

/** The few that make much of little come seldom: what they cost is looked at, not multiplied. */
const value: fc.Arbitrary<Buffer | string | null> = fc.oneof(
  { weight: 20, arbitrary: garbage },
  { weight: 60, arbitrary: text },
  { weight: 15, arbitrary: fc.tuple(dressed, text).map(([dress, one]) => dress(one)) },
  { weight: 1, arbitrary: multiplied },
);

/** Messages of a source that are no readings, or only in part. */
export function hostileSourceMessages(partitions: number): fc.Arbitrary<OutgoingMessage> {
  return fc
    .record(
      {
        key: fc.constantFrom(null, '', '__proto__', 'x'.repeat(10_000)),
        value: value.filter((one) => one === null || Buffer.byteLength(one) <= LARGEST),
        partition: fc.nat(partitions - 1),
        // The broker refuses what lies further ahead.
        timestampMillis: fc.constantFrom(0, 1, SOURCE_START * 1_000),
        headers: fc.constantFrom({}, { reason: 'late', 'source-topic': 'x', __proto__x: '1' }),
      },
      { requiredKeys: ['key', 'value', 'partition'] },
    )
    .map((message): OutgoingMessage => message);
}
