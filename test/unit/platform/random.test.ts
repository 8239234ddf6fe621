import fc from 'fast-check';
import { seededRandom } from '../../../core/platform/random';

describe('seeded randomness', () => {
  it('repeats itself for the same seed and labels', () => {
    const draw = (): number[] => {
      const random = seededRandom(7, 'fleet', 3);
      return Array.from({ length: 5 }, () => random.uniform());
    };
    expect(draw()).toEqual(draw());
  });

  it('gives other numbers for other labels', () => {
    expect(seededRandom(7, 'a').uniform()).not.toBe(seededRandom(7, 'b').uniform());
    expect(seededRandom(7, 'ab', 'c').uniform()).not.toBe(seededRandom(7, 'a', 'bc').uniform());
  });

  it('draws Gaussians with mean 0 and deviation 1', () => {
    const random = seededRandom(1, 'normal');
    const n = 40_000;
    const values = Array.from({ length: n }, () => random.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    // Five standard errors of either estimate.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
  });

  it('shuffles without losing or doubling anything', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const shuffled = [...items];
        seededRandom(seed, 'shuffle').shuffle(shuffled);
        expect([...shuffled].sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
      }),
    );
  });

  it('puts every item in every place about equally often', () => {
    const counts = [0, 0, 0];
    for (let seed = 0; seed < 3_000; seed += 1) {
      const items = [0, 1, 2];
      seededRandom(seed, 'fair').shuffle(items);
      counts[items.indexOf(0)]! += 1;
    }
    for (const count of counts)
      expect(Math.abs(count - 1_000)).toBeLessThan(5 * Math.sqrt(3_000 * (1 / 3) * (2 / 3)));
  });
});
