import fc from 'fast-check';
import {
  errorSize,
  inUnit,
  level,
  signedError,
  signedLevel,
  windowFigure,
} from '../../../cli/shared/quantities';

describe('an error in the unit of the target', () => {
  it.each([
    [0.666, 1, '0.67'],
    [0.666, 0.5, '0.666'],
    [0.000123, 0.0004, '0.000123'],
    [23.44, 40, '23.4'],
    [1_234_567.8, 2_000_000, '1,234,568'],
    [0, 1, '0.00'],
    [1.5e-9, 2e-9, '1.50e-9'],
    [3e20, 1e20, '3.00e+20'],
  ])('of %d with a tolerance of %d reads %s: to a hundredth of the tolerance', (value, tolerance, text) => {
    expect(errorSize(value, { tolerance })).toBe(text);
  });

  it('shows one digit of what is smaller, so that a tolerance which does not fit hides nothing', () => {
    expect(errorSize(0.00042, { tolerance: 1 })).toBe('0.0004');
    expect(signedError(-0.00042, { tolerance: 1 })).toBe('−0.0004');
  });

  it('has no sign where nothing but a rounding error of a sum is left', () => {
    expect(signedError(-1e-17, { tolerance: 1 })).toBe('0.00');
  });

  it('never reads as zero, and keeps its sign, for any size and tolerance', () => {
    const magnitude = fc.integer({ min: -12, max: 14 }).map((power) => 10 ** power);
    fc.assert(
      fc.property(magnitude, fc.double({ min: -1e3, max: 1e3, noNaN: true }), (tolerance, share) => {
        fc.pre(Math.abs(share) > 1e-6);
        const text = signedError(share * tolerance, { tolerance });
        expect(text.startsWith(share < 0 ? '−' : '+')).toBe(true);
        expect(text).toMatch(/[1-9]/);
        const read = Number(text.slice(1).replaceAll(',', ''));
        expect(Math.abs(read - Math.abs(share * tolerance)) / tolerance).toBeLessThanOrEqual(
          Math.max(0.0051, 0.01 * Math.abs(share)),
        );
      }),
    );
  });
});

describe('a level', () => {
  it.each([
    [21.5, '21.5'],
    [-5, '−5'],
    [0.1 + 0.2, '0.3'],
    [0.002, '0.002'],
    [120_000_000, '120,000,000'],
    [123_456_789.5, '123,456,789.5'],
    [0, '0'],
    [2e-9, '2e-9'],
  ])('of %d reads %s: with the digits that it has', (value, text) => {
    expect(level(value)).toBe(text);
  });

  it('on an axis of errors has a sign', () => {
    expect([-0.5, 0, 0.5].map(signedLevel)).toEqual(['−0.5', '0', '+0.5']);
  });
});

describe('a figure of a window', () => {
  it.each([
    [21.458333, 1, '21.4583'],
    [123_456_789.5, 1, '123456789.5'],
    [0.0021512345, 0.0004, '0.00215123'],
    [0, 1, '0'],
    [-3, 1, '-3'],
  ])('%d, with a tolerance of %d, reads %s', (value, tolerance, text) => {
    expect(windowFigure(value, { tolerance })).toBe(text);
  });
});

describe('a unit', () => {
  it('stands behind a figure, and behind none where the target has none', () => {
    expect(inUnit('0.67', { unit: 'mm/s' })).toBe('0.67 mm/s');
    expect(inUnit('0.67', { unit: '' })).toBe('0.67');
  });

  it('cannot write to the terminal', () => {
    expect(inUnit('1', { unit: '\u001b[2J' })).toBe('1 \\u001b[2J');
  });
});
