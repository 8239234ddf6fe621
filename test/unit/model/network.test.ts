import fc from 'fast-check';
import { forward, loss, lossGradient, sgdStep, type Batch } from '../../../bench/support/reference-network';
import { initialWeights } from '../../../core/model/network';
import { parameterCount } from '../../../core/model/types';
import { seededRandom } from '../../../core/platform/random';
import { gaussians, slopesOf, SMALL } from './fixtures';
import { SHAPE } from '../../support/task';

const CLIP = 2;

function randomBatch(rows: number, seed: number): Batch {
  const random = seededRandom(seed, 'batch');
  return {
    rows,
    x: gaussians(rows * SMALL.inputs, random),
    y: gaussians(rows, random),
    sampleWeights: Float32Array.from({ length: rows }, () => random.uniform()),
  };
}

describe('the network', () => {
  it('starts from the same weights for the same seed, with biases of 0', () => {
    expect(initialWeights(SHAPE, 3)).toEqual(initialWeights(SHAPE, 3));
    expect(initialWeights(SHAPE, 3)).not.toEqual(initialWeights(SHAPE, 4));
    const weights = initialWeights(SHAPE, 3);
    expect(weights).toHaveLength(993);
    const { inputs, hidden } = SHAPE;
    expect(weights.subarray(inputs * hidden, inputs * hidden + hidden).every((bias) => bias === 0)).toBe(
      true,
    );
    expect(weights.at(-1)).toBe(0);
  });

  it('computes relu(x·W1 + b1)·W2 + b2', () => {
    const shape = { inputs: 2, hidden: 2 };
    const weights = Float32Array.of(1, -1, 2, 3, /* b1 */ 0.5, -10, /* W2 */ 2, 5, /* b2 */ 0.25);
    expect([...forward(shape, weights, Float32Array.of(1, 2, -1, 4), 2)]).toEqual([
      2 * (1 + 4 + 0.5) + 0.25,
      2 * (-1 + 8 + 0.5) + 5 * (1 + 12 - 10) + 0.25,
    ]);
  });

  it('has the gradient that finite differences of its loss give', () => {
    const batch = randomBatch(12, 1);
    const weights = initialWeights(SMALL, 2).map((weight) => weight + 0.05);
    const gradient = lossGradient(SMALL, weights, batch, CLIP);
    slopesOf(SMALL, weights, batch, CLIP).forEach((slope, at) => {
      expect(Math.abs(slope - gradient[at]!)).toBeLessThan(1e-6 + 1e-3 * Math.abs(slope));
    });
  });

  it('lets no residual count for more than the clip', () => {
    const batch = { ...randomBatch(1, 4), y: Float32Array.of(1e6), sampleWeights: Float32Array.of(1) };
    const gradient = lossGradient(SMALL, initialWeights(SMALL, 2), batch, CLIP);
    expect(gradient.at(-1)).toBeCloseTo(-2 * CLIP, 6);
  });

  it('takes nothing from rows of weight 0', () => {
    const batch = { ...randomBatch(6, 5), sampleWeights: new Float32Array(6) };
    expect(
      lossGradient(SMALL, initialWeights(SMALL, 2), batch, CLIP).every((value) => Math.abs(value) === 0),
    ).toBe(true);
  });

  it('goes downhill with a small step, whatever the batch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: 20 }), (seed, rows) => {
        const batch = randomBatch(rows, seed);
        const weights = initialWeights(SMALL, seed);
        const before = loss(SMALL, weights, batch, CLIP);
        sgdStep(SMALL, weights, batch, { learningRate: 1e-4, residualClip: CLIP });
        expect(loss(SMALL, weights, batch, CLIP)).toBeLessThanOrEqual(before + 1e-6);
      }),
      { numRuns: 50 },
    );
  });

  it('is pulled back towards its base by the proximal term', () => {
    const batch = { ...randomBatch(4, 6), sampleWeights: new Float32Array(4) };
    const base = initialWeights(SMALL, 2);
    const weights = base.map((weight) => weight + 1);
    sgdStep(SMALL, weights, batch, { learningRate: 0.1, residualClip: CLIP, proximal: { mu: 0.5, base } });
    expect(weights).toHaveLength(parameterCount(SMALL));
    weights.forEach((weight, at) => {
      expect(weight - base[at]!).toBeCloseTo(0.95, 5);
    });
  });
});
