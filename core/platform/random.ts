import { createHash, randomBytes } from 'node:crypto';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';

/** A stream of random numbers that the same seed and labels always repeat. */
export interface Random {
  /** Uniform in [0, 1) with 32 bits. */
  uniform(): number;
  /** Uniform whole number in [0, bound). */
  below(bound: number): number;
  /** Gaussian with mean 0 and standard deviation 1 (Box and Muller 1958). */
  normal(): number;
  /** In-place Fisher–Yates shuffle. */
  shuffle(items: unknown[] | Int32Array): void;
}

/** Independent streams come from the same seed with different labels, so that adding one never shifts another. */
export function seededRandom(seed: number, ...labels: readonly (string | number)[]): Random {
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, ...labels]))
    .digest();
  const generator: RandomGenerator = xoroshiro128plus(digest.readInt32LE(0));
  const uniform = (): number => (generator.next() >>> 0) / 2 ** 32;
  const below = (bound: number): number => Math.floor(uniform() * bound);
  let spare: number | undefined;
  return {
    uniform,
    below,
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    shuffle(items) {
      for (let last = items.length - 1; last > 0; last -= 1) {
        const other = below(last + 1);
        const kept = items[last];
        items[last] = items[other];
        items[other] = kept;
      }
    },
  };
}

/**
 * Gaussian numbers, mean 0 and standard deviation 1, that nobody can repeat: Box and Muller on uniform numbers of 53 bits from the
 * cryptographic generator. For noise that protects; everything else is seeded.
 */
export function unrepeatableNormals(): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const bytes = randomBytes(16);
    // Above 0, so that the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform53(bytes, 0)));
    const angle = 2 * Math.PI * uniform53(bytes, 8);
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/** 53 bits at this place as a number in [0, 1). */
function uniform53(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at) >> 11n) / 2 ** 53;
}
