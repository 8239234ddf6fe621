import { hiddenActivations } from '../../../core/model/hidden-activations';
import { Matrix, solve } from 'ml-matrix';
import { clipToMedianNorm } from '../../../core/federation/aggregation/clipping';
import { applyBoundaryWeights, boundaryWeight } from '../../../core/federation/training/boundary-weighting';
import { electNetwork } from '../../../core/federation/promotion/elect-candidate';
import { acceptsRefit, panelGate } from '../../../core/federation/panels/panel-gate';
import { softCorrect } from '../../../core/contracts/soft-score';
import { addTallies, tallyPanel } from '../../../core/federation/panels/panel-tally';
import { addRefitSums, type RefitSums } from '../../../core/federation/panels/additive-sums';
import { refitOutputLayer, refitSums } from '../../../core/federation/panels/refit';
import { type Samples } from '../../../core/federation/training/samples';
import { chooseCandidates, type JudgedProposal } from '../../../core/federation/panels/choose-candidates';
import {
  keptByRealAccuracy,
  responsiveProposal,
  steadyProposal,
} from '../../../core/federation/strategies/closed-loop';
import { type LocalUpdate } from '../../../core/federation/strategies/strategy';
import { partsFor } from '../../../core/contracts/rounds';
import { forward } from '../../../bench/support/reference-network';
import { initialWeights } from '../../../core/model/network';
import { seededRandom } from '../../../core/platform/random';

const update = (value: number, selfReportedAccuracy = 0.8): LocalUpdate => ({
  deviceId: `d${value}`,
  delta: Float32Array.of(value),
  rows: 10,
  selfReportedAccuracy,
  baseLoss: 1,
});

/** One device a sample unless said otherwise. */
const samplesOf = (y: readonly number[], device: readonly number[] = y.map((_, at) => at)): Samples => ({
  count: y.length,
  x: new Float32Array(0),
  y: Float32Array.from(y),
  device: Int32Array.from(device),
  age: new Int32Array(y.length),
});

describe('boundary weights', () => {
  it('are largest at the boundary between right and wrong and never below the floor', () => {
    expect(boundaryWeight(1, 0.6)).toBeCloseTo(1.3, 10);
    expect(boundaryWeight(-1, 0.6)).toBeCloseTo(1.3, 10);
    expect(boundaryWeight(0, 0.6)).toBeCloseTo(0.3 + Math.exp(-1 / 0.36), 10);
    expect(boundaryWeight(50, 0.6)).toBeCloseTo(0.3, 10);
  });

  it('have mean 1 over a device’s samples and leave padding and neighbours alone', () => {
    const weights = Float32Array.of(1, 1, 0, 1, 1, 1);
    applyBoundaryWeights(weights, Float32Array.of(0, 1, 7, 2, 0.5, 1), 0, 4, 0.6);
    expect(weights[2]).toBe(0);
    expect((weights[0]! + weights[1]! + weights[3]!) / 3).toBeCloseTo(1, 6);
    expect([weights[4], weights[5]]).toEqual([1, 1]);
    expect(weights[1]! / weights[0]!).toBeCloseTo(1.3 / boundaryWeight(0, 0.6), 5);
  });
});

describe('clipping', () => {
  it('shortens what is longer than 1.5 × the median norm and keeps directions', () => {
    const { deltas, clipped } = clipToMedianNorm([
      Float32Array.of(3, 4),
      Float32Array.of(0, 5),
      Float32Array.of(-300, 400),
    ]);
    expect(clipped).toBe(1);
    expect([...deltas[2]!]).toEqual([-4.5, 6]);
    expect([...deltas[0]!]).toEqual([3, 4]);
  });
});

describe('the steady candidate', () => {
  it('is the plain mean of local models no more than 6 points under the median', () => {
    const updates = [update(1), update(2), update(3), update(100)];
    const { delta, leftOut, weights } = steadyProposal(updates, [0.8, 0.82, 0.75, 0.7], 1);
    expect(delta[0]).toBeCloseTo(2, 6);
    expect(leftOut).toEqual([null, null, null, 'worse-than-median']);
    expect(weights[3]).toBe(0);
  });

  it('keeps models that nobody could score, and all of them where nothing was scored', () => {
    expect(keptByRealAccuracy([0.8, null, 0.5])).toEqual([true, true, false]);
    expect(keptByRealAccuracy([null, null])).toEqual([true, true]);
  });
});

describe('the responsive candidate', () => {
  it('weighs local models by a softmax of their real accuracy: one point is a factor e', () => {
    const { weights } = responsiveProposal([update(1), update(2)], [0.8, 0.81], 1);
    expect(weights[1]! / weights[0]!).toBeCloseTo(Math.E, 6);
  });

  it('counts an unscored model as the median one, and falls back on self-reports when nothing was scored', () => {
    const { weights } = responsiveProposal([update(1), update(2), update(3)], [0.8, null, 0.8], 1);
    expect([...weights]).toEqual([expect.closeTo(1 / 3), expect.closeTo(1 / 3), expect.closeTo(1 / 3)]);
    expect([...responsiveProposal([update(1, 0.9), update(2, 0.3)], [null, null], 1).weights]).toEqual([
      expect.closeTo(0.75),
      expect.closeTo(0.25),
    ]);
  });

  it('gives a flatterer nothing: what a model reports of itself has no weight', () => {
    const { weights } = responsiveProposal([update(1, 0.99), update(2, 0.6)], [0.5, 0.8], 1);
    expect(weights[0]!).toBeLessThan(1e-12);
  });
});

describe('the refit of the output layer', () => {
  const shape = { inputs: 3, hidden: 4 };
  const random = seededRandom(1, 'refit');
  const weights = initialWeights(shape, 5).map((value) => value + 0.05 * random.normal());
  const rows = 60;
  const x = Float32Array.from({ length: rows * 3 }, () => random.normal());
  const actual = Float32Array.from({ length: rows }, () => 0.5 * random.normal());
  const outputs = forward(shape, weights, x, rows);
  const h = hiddenActivations(shape, weights, x);
  const BLOCKS = 3;
  /** Samples dealt out in turn, so that every block tells the same story. */
  const dealt = Int32Array.from({ length: rows }, (_, at) => at % BLOCKS);
  /** One device, so that none pulls harder than the others. */
  const deviceOf = new Int32Array(rows);
  const sums = refitSums(shape, { activations: h, outputs, actual, blockOf: dealt, deviceOf });
  const block = (...moment: number[]): RefitSums['blocks'][number] => ({ rows: 10, moment });
  /** A network whose refit is a step of the bias alone, so that moments can be written down. */
  const single = { inputs: 1, hidden: 1 };
  const gram = [0, 0, 0, 10];

  it('goes a share of the way to the weighted ridge regression of clipped residuals', () => {
    const withBias = Matrix.from1DArray(rows, 4, [...h]).addColumn(new Array<number>(rows).fill(1));
    const residual = [...actual].map((value, at) => Math.min(Math.max(value - outputs[at]!, -2), 2));
    const v = Matrix.diag(residual.map((value) => 1 / (1 + (value / 1.5) ** 4)));
    const left = withBias
      .transpose()
      .mmul(v)
      .mmul(withBias)
      .add(Matrix.eye(5).mul(0.03 * rows));
    const expected = solve(left, withBias.transpose().mmul(v).mmul(Matrix.columnVector(residual)));
    const { weights: refitted, share } = refitOutputLayer(shape, weights, sums)!;
    for (let unit = 0; unit < 5; unit += 1)
      expect(refitted[16 + unit]! - weights[16 + unit]!).toBeCloseTo(share * expected.get(unit, 0), 5);
    expect([...refitted.subarray(0, 16)]).toEqual([...weights.subarray(0, 16)]);
  });

  it('comes out the same from two sites’ sums as from one', () => {
    const part = (from: number, until: number) =>
      refitSums(shape, {
        activations: h.subarray(from * 4, until * 4),
        outputs: outputs.subarray(from, until),
        actual: actual.subarray(from, until),
        blockOf: dealt.subarray(from, until),
        deviceOf,
      });
    const both = refitOutputLayer(shape, weights, addRefitSums([part(0, 25), part(25, rows)]))!;
    const one = refitOutputLayer(shape, weights, sums)!;
    expect(both.share).toBeCloseTo(one.share, 9);
    one.weights.forEach((value, at) => {
      expect(both.weights[at]).toBeCloseTo(value, 6);
    });
  });

  it('brings the outputs nearer to the actual changes', () => {
    const error = (of: Float32Array): number =>
      forward(shape, of, x, rows).reduce((sum, output, at) => sum + (output - actual[at]!) ** 2, 0);
    expect(error(refitOutputLayer(shape, weights, sums)!.weights)).toBeLessThan(error(weights));
  });

  it('has nothing to offer without samples or with broken ones, and refuses sums of another network', () => {
    expect(refitOutputLayer(shape, weights, { ...sums, blocks: [] })).toBeNull();
    expect(refitOutputLayer(shape, weights, { ...sums, gram: sums.gram.map(() => NaN) })).toBeNull();
    expect(() => refitOutputLayer({ inputs: 3, hidden: 5 }, weights, sums)).toThrow(/refit/);
  });

  it('takes the whole step when all blocks of time ask for the same', () => {
    expect(
      refitOutputLayer(single, new Float32Array(4), { gram, blocks: [block(0, 3), block(0, 3)] }),
    ).toEqual({
      weights: Float32Array.from([0, 0, 0, 6 / (10 + 0.03 * 20)]),
      share: 1,
    });
  });

  it('takes less the more blocks differ: 1 − noise/signal, worked by hand', () => {
    // m = 6, blocks 1 and 5: noise = 2 · ((1 − 3)² + (5 − 3)²) = 16, signal = 36, both over the same matrix.
    const { share } = refitOutputLayer(single, new Float32Array(4), {
      gram,
      blocks: [block(0, 1), block(0, 5)],
    })!;
    expect(share).toBeCloseTo(1 - 16 / 36, 12);
  });

  it('takes no step when blocks contradict each other, or when there is but one', () => {
    expect(
      refitOutputLayer(single, new Float32Array(4), { gram, blocks: [block(0, 4), block(0, -2)] }),
    ).toBeNull();
    expect(refitOutputLayer(single, new Float32Array(4), { gram, blocks: [block(0, 4)] })).toBeNull();
  });

  it('takes noise for what it is: without anything that repeats, signal and noise are alike on average', () => {
    const chance = seededRandom(7, 'blocks');
    const shares = Array.from({ length: 2_000 }, () => {
      const blocks = Array.from({ length: 4 }, () => block(0, chance.normal()));
      return refitOutputLayer(single, new Float32Array(4), { gram, blocks })?.share ?? 0;
    });
    // 1 − noise/signal is above 0 when t² > 1 on 3 degrees of freedom: in 39 of 100 cases.
    expect(shares.filter((share) => share > 0).length / shares.length).toBeCloseTo(0.39, 1);
  });
});

const NO_TALLIES = addTallies([]);

describe('acceptance on panel B', () => {
  it('counts softly: half at the edge, nearly one inside, nearly none outside', () => {
    expect(softCorrect(1)).toBe(0.5);
    expect(softCorrect(-1)).toBe(0.5);
    expect(softCorrect(0)).toBeGreaterThan(0.98);
    expect(softCorrect(3)).toBeLessThan(0.001);
  });

  it('keeps a refit only when the mean soft score rises', () => {
    const actual = samplesOf([0, 0]);
    const proposal = tallyPanel(actual, [0.9, 1.1], [0, 0]);
    const refitted = tallyPanel(actual, [0.8, 1.0], [0, 0]);
    expect(acceptsRefit(proposal, refitted)).toBe(true);
    expect(acceptsRefit(refitted, proposal)).toBe(false);
    expect(acceptsRefit(proposal, proposal)).toBe(false);
    expect(acceptsRefit(NO_TALLIES, NO_TALLIES)).toBe(false);
  });
});

describe('tallies of panels', () => {
  it('count by device, and add up over sites', () => {
    const tally = tallyPanel(samplesOf([0, 0, 0], [0, 0, 1]), [0.5, 2, 0], [2, 2, 2]);
    expect(tally).toMatchObject({
      rows: 3,
      correct: 2,
      devices: 2,
      difference: 0.5 + 1,
      squaredDifference: 0.25 + 1,
    });
    expect(addTallies([tally, tally])).toMatchObject({
      rows: 6,
      devices: 4,
      difference: 3,
      squaredDifference: 2.5,
    });
  });
});

describe('the gate on panel C', () => {
  const gateOf = (differences: readonly number[]) =>
    panelGate({
      ...NO_TALLIES,
      devices: differences.length,
      difference: differences.reduce((sum, value) => sum + value, 0),
      squaredDifference: differences.reduce((sum, value) => sum + value * value, 0),
    });

  it('lets pass what is not worse beyond two standard errors and a fifth of a point', () => {
    expect(gateOf([0, 0, 0]).pass).toBe(true);
    expect(gateOf([-0.1, 0.1, -0.1, 0.05]).pass).toBe(true);
    expect(gateOf([-0.001, -0.001]).pass).toBe(true);
    expect(panelGate(NO_TALLIES).pass).toBe(true);
  });

  it('keeps the champion when every device is worse off', () => {
    expect(gateOf([-0.1, -0.1, -0.12, -0.09]).pass).toBe(false);
    expect(gateOf([-0.003, -0.003]).pass).toBe(false);
  });
});

describe('the evidence rule', () => {
  it('lets the steady candidate serve until there are two rounds of evidence', () => {
    expect(electNetwork([]).elected).toBe('steady');
    expect(electNetwork([0.05]).elected).toBe('steady');
    expect(electNetwork([0.05, 0.04]).elected).toBe('responsive');
  });

  it('wants gains that are steady, not one storm', () => {
    expect(electNetwork([0.001, -0.001, 0.002, 0.3]).elected).toBe('steady');
    expect(electNetwork([0.01, 0.012, 0.011, 0.3]).elected).toBe('responsive');
    expect(electNetwork([0.1, -0.09, 0.1, -0.09]).elected).toBe('steady');
  });

  it('takes tiny gains for nothing, however steady they are', () => {
    expect(electNetwork([0.0005, 0.0005, 0.0005, 0.0005]).elected).toBe('steady');
  });

  it('computes what the recipe says', () => {
    // |E| = 2, 1, 4, 3 points: median 2.5, bound 5.01 points: nothing is winsorised. Mean 2.5, sd √1.25 points, n = 4.
    const strength = 0.025 / (Math.sqrt(1.25e-4) / 2 + 0.001);
    expect(electNetwork([0.02, 0.01, 0.04, 0.03]).reason).toContain(`strength ${strength.toFixed(2)},`);
  });

  it('looks at the last four rounds alone', () => {
    expect(electNetwork([-0.5, -0.5, 0.02, 0.02, 0.02, 0.02]).elected).toBe('responsive');
  });
});

describe('choosing candidates', () => {
  const parts = partsFor('closed-loop', { panelGate: true });
  const right = tallyPanel(samplesOf([0, 0]), [0, 0], [0, 0]);
  const worse = tallyPanel(samplesOf([0, 0]), [2, 2], [0, 0]);
  const edge = tallyPanel(samplesOf([0, 0]), [1, 1], [0, 0]);

  const alone = { proposal: { b: right, c: right }, refitted: null };

  it('keeps the steady refit that panel B likes, and no other', () => {
    const choose = (refitted: JudgedProposal) =>
      chooseCandidates({
        parts,
        steady: { proposal: { b: edge, c: right }, refitted },
        responsive: alone,
        evidence: [],
      });
    expect(choose({ b: right, c: worse })).toMatchObject({
      steady: 'refitted',
      feedbackUsed: { steady_refit: 'accepted', refit: 'not made: nothing repeats over time' },
    });
    expect(choose({ b: edge, c: right })).toMatchObject({
      steady: 'proposal',
      feedbackUsed: { steady_refit: 'refused' },
    });
  });

  it('serves the refit that panel B likes and panel C lets pass, when past rounds elect it', () => {
    const chosen = chooseCandidates({
      parts,
      steady: alone,
      responsive: { proposal: { b: edge, c: right }, refitted: { b: right, c: right } },
      evidence: [0.03, 0.03],
    });
    expect(chosen).toMatchObject({
      responsive: 'refitted',
      elected: 'responsive',
      feedbackUsed: { refit: 'accepted', panel_gate: 'passed' },
    });
  });

  it('falls back on the unrefitted proposal, and on the champion when the gate says so', () => {
    expect(
      chooseCandidates({
        parts,
        steady: alone,
        responsive: { proposal: { b: right, c: right }, refitted: { b: edge, c: right } },
        evidence: [],
      }),
    ).toMatchObject({ responsive: 'proposal', elected: 'steady' });
    expect(
      chooseCandidates({
        parts,
        steady: alone,
        responsive: { proposal: { b: right, c: worse }, refitted: null },
        evidence: [],
      }).responsive,
    ).toBe('champion');
  });

  it('leaves the panel gate to rounds that ask for it', () => {
    const request = {
      steady: alone,
      responsive: { proposal: { b: right, c: worse }, refitted: null },
      evidence: [],
    };
    expect(chooseCandidates({ ...request, parts: partsFor('closed-loop', {}) })).toMatchObject({
      responsive: 'proposal',
      feedbackUsed: { panel_gate: 'off' },
    });
    expect(chooseCandidates({ ...request, parts }).responsive).toBe('champion');
  });

  it('does without the parts that are switched off', () => {
    const off = partsFor('closed-loop', { evidenceRule: false });
    expect(
      chooseCandidates({
        parts: off,
        steady: alone,
        responsive: { proposal: { b: right, c: worse }, refitted: null },
        evidence: [],
      }),
    ).toMatchObject({ responsive: 'proposal', elected: 'responsive' });
  });
});
