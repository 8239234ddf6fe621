import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { microsOfIso, microsOfMillis } from '../../../core/stream/parse/timestamps';

const iso = (text: string): number => {
  const bytes = Buffer.from(text);
  return microsOfIso(bytes, 0, bytes.length);
};

describe('ISO 8601 event times', () => {
  it.each([
    ['2020-01-01T00:00:00Z', 1_577_836_800_000_000],
    ['2020-01-01T00:00:00', 1_577_836_800_000_000],
    ['2020-01-01 00:00:00', 1_577_836_800_000_000],
    ['2020-01-01t00:00:00z', 1_577_836_800_000_000],
    ['2020-01-01', 1_577_836_800_000_000],
    ['2020-01-01T00:00', 1_577_836_800_000_000],
    ['2020-01-01T00:00Z', 1_577_836_800_000_000],
    ['2020-01-01T05:30:00+05:30', 1_577_836_800_000_000],
    ['2020-01-01T05:30:00+0530', 1_577_836_800_000_000],
    ['2019-12-31T19:00:00-05', 1_577_836_800_000_000],
    ['2020-01-01T00:00:00.000250Z', 1_577_836_800_000_250],
    ['2020-01-01T00:00:00.1Z', 1_577_836_800_100_000],
    ['2020-01-01T00:00:00,123456', 1_577_836_800_123_456],
    ['2020-01-01T00:00:00.1234569999Z', 1_577_836_800_123_456],
    ['2020-02-29T00:00:00Z', 1_582_934_400_000_000],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['1969-12-31T23:59:59.75', -250_000],
    ['1900-01-01T00:00:00Z', -2_208_988_800_000_000],
  ])('%s is %d µs', (text, micros) => {
    expect(iso(text)).toBe(micros);
  });

  it.each([
    '',
    'yesterday',
    '2020',
    '2020-1-1T00:00:00Z',
    '2020-13-01T00:00:00Z',
    '2020-00-01T00:00:00Z',
    '2019-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2020-04-31T00:00:00Z',
    '2020-01-01T24:00:00Z',
    '2020-01-01T23:60:00Z',
    '2020-01-01T23:59:60Z',
    '2020-01-01T00:00:00.',
    '2020-01-01T00:00:00.Z',
    '2020-01-01T00:00:0',
    '2020-01-01T00:00:',
    '2020-01-01T00:00:00+5',
    '2020-01-01T00:00:00+05:3',
    '2020-01-01T00:00:00+24:00',
    '2020-01-01T00:00:00 UTC',
    '2020-01-01T00:00:00ZZ',
    '2020-01-01X00:00:00Z',
    ' 2020-01-01T00:00:00Z',
    '1577836800000',
    '0001-01-01T00:00:00Z',
    '9999-12-31T00:00:00Z',
  ])('%j is none', (text) => {
    expect(iso(text)).toBeNaN();
  });

  it('agrees with Date on every millisecond that both can tell', () => {
    const range = {
      min: new Date('1700-01-01T00:00:00Z'),
      max: new Date('2250-01-01T00:00:00Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        expect(iso(date.toISOString())).toBe(date.getTime() * 1_000);
      }),
    );
  });

  it('is UTC without a zone, whatever zone the machine is in', () => {
    const script = `
      require('@swc/core');
      const { readFileSync } = require('node:fs');
      const { transformSync } = require('@swc/core');
      const Module = require('node:module');
      Module._extensions['.ts'] = (module, file) =>
        module._compile(transformSync(readFileSync(file, 'utf8'), { filename: file, jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } }).code, file);
      const { EventParser } = require('./core/stream/parse/parse.ts');
      const { emptyEvent } = require('./core/stream/parse/event.ts');
      const { isoOfMicros } = require('./core/contracts/time.ts');
      const { DEFAULT_TASK } = require('./core/contracts/task.ts');
      const event = emptyEvent(3);
      const bad = new EventParser(DEFAULT_TASK).parse(Buffer.from(JSON.stringify({ device_id: 'a', timestamp: '2020-06-01T12:00:00', temperature: 1 })), event);
      process.stdout.write(JSON.stringify([bad ?? null, event.micros, isoOfMicros(event.micros), new Date(2020, 5, 1).getTimezoneOffset()]));
    `;
    const root = join(__dirname, '..', '..', '..');
    const run = (zone: string): unknown =>
      JSON.parse(
        execFileSync(process.execPath, ['-e', script], {
          cwd: root,
          env: { ...process.env, TZ: zone },
          encoding: 'utf8',
        }),
      );
    expect(run('Asia/Kolkata')).toEqual([null, 1_591_012_800_000_000, '2020-06-01T12:00:00Z', -330]);
    expect(run('America/St_Johns')).toEqual([null, 1_591_012_800_000_000, '2020-06-01T12:00:00Z', 150]);
  });
});

describe('epoch milliseconds', () => {
  it('keep their microseconds', () => {
    expect(microsOfMillis(1_577_836_800_000)).toBe(1_577_836_800_000_000);
    expect(microsOfMillis(1_577_836_800_000.25)).toBe(1_577_836_800_000_250);
    expect(microsOfMillis(-0.001)).toBe(-1);
    expect(microsOfMillis(-0)).toBe(0);
  });

  it('are none beyond what a double can hold to the microsecond', () => {
    expect(microsOfMillis(9_007_199_254_740)).toBe(9_007_199_254_740_000);
    expect(microsOfMillis(9_007_199_254_741)).toBeNaN();
    expect(microsOfMillis(Infinity)).toBeNaN();
  });
});
