import fc from 'fast-check';

export const TWO_53 = 2 ** 53;
/** Start of a window that no event reaches, in microseconds since 1970. */
export const FAR_WINDOW = Date.UTC(2200, 0, 1) * 1_000;
export const AT = '2020-01-01T00:00:00Z';
/** Epochs that nobody has. */
export const EPOCHS = [TWO_53 - 1, 999_999];

/** What no field expects. */
const HOSTILE_VALUES: readonly unknown[] = [
  TWO_53 - 1,
  TWO_53,
  2 ** 31,
  -1,
  1.5,
  1e308,
  null,
  '',
  '\ud800',
  'x\u0000y',
  '__proto__',
  'x'.repeat(100_000),
  [],
  {},
  [[[[]]]],
];

/** Bytes that are no message at all. */
export const garbage: fc.Arbitrary<Buffer | string | null> = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.json(),
  fc.constantFrom(
    null,
    '',
    '{',
    '['.repeat(50_000) + ']'.repeat(50_000),
    '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000),
    '{"__proto__":{"type":"model"},"constructor":{"prototype":1}}',
    'x'.repeat(900_000),
  ),
);

/** A message with one of its fields replaced, removed, or cut short. */
export function mutated(template: object): fc.Arbitrary<string> {
  const paths = Object.entries(template).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? [[name], ...Object.keys(value).map((inner) => [name, inner])]
      : [[name]],
  );
  const text = JSON.stringify(template);
  return fc.oneof(
    fc.constant(text),
    fc.nat(text.length).map((length) => text.slice(0, length)),
    fc
      .tuple(fc.constantFrom(...paths), fc.constantFrom(undefined, ...HOSTILE_VALUES), fc.boolean())
      .map(([path, value, inList]) => JSON.stringify(replaced(template, path, inList ? [value] : value))),
  );
}

function replaced(template: object, [name = '', ...rest]: readonly string[], value: unknown): object {
  const inner: unknown = Object.entries(template).find(([field]) => field === name)?.[1];
  const isInside = rest.length > 0 && typeof inner === 'object' && inner !== null;
  return { ...template, [name]: isInside ? replaced(inner, rest, value) : value };
}
