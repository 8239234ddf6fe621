import fc from 'fast-check';
import { isoOfMicros, windowStartOf } from '../../../core/contracts/time';

describe('event time', () => {
  it('puts every instant in the window that contains it, before 1970 too', () => {
    fc.assert(
      fc.property(fc.integer({ min: -4e15, max: 4e15 }), fc.integer({ min: 1, max: 1e11 }), (at, window) => {
        const start = windowStartOf(at, window);
        expect(start).toBeLessThanOrEqual(at);
        expect(at - start).toBeLessThan(window);
        expect(start % window === 0).toBe(true);
      }),
    );
  });

  it.each([
    [0, '1970-01-01T00:00:00Z'],
    [1_500_000, '1970-01-01T00:00:01.500000Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
    [1_704_078_030_000_250, '2024-01-01T03:00:30.000250Z'],
  ])('writes %i µs as %s', (micros, text) => {
    expect(isoOfMicros(micros)).toBe(text);
  });
});
