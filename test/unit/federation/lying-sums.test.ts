import fc from 'fast-check';
import { combineSites } from '../../../core/federation/panels/refit-sites';
import { faultOfSums, refitKind } from '../../../core/federation/panels/report-checks';
import { sumPanel } from '../../../core/federation/panels/panel-scoring';
import { type RefitSums } from '../../../core/federation/panels/additive-sums';
import { refitOutputLayer } from '../../../core/federation/panels/refit';
import { faultOfFeatureSums } from '../../../core/federation/training/feature-sums';
import { isCorrect, type Samples } from '../../../core/federation/training/samples';
import { panelSumsSchema } from '../../../core/contracts/site-reports';
import { addRow, emptyFeatureSums } from '../../../core/model/features';
import { hiddenActivations } from '../../../core/model/hidden-activations';
import { initialWeights, weightOffsets } from '../../../core/model/network';
import { type FlatWeights } from '../../../core/model/types';
import { seededRandom } from '../../../core/platform/random';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { RING_WINDOWS } from '../../../core/federation/constants';
import { FEATURES, SHAPE } from '../../support/task';

/**
 * Five sites send sums to a refit, and one of them makes its own up. What is sent goes through JSON and its schema, as it does in a round.
 */
const DEVICES = 40;
const WINDOWS = 24;
const PROPOSAL = initialWeights(SHAPE, 3);
const TRUE = bentOutput(PROPOSAL, 3, 1.2);

/** The network with another bias and other weights in the output layer: what a refit has to find. */
function bentOutput(weights: FlatWeights, seed: number, bias: number): FlatWeights {
  const random = seededRandom(seed, 'bent');
  const bent = weights.slice();
  const { w2, b2 } = weightOffsets(SHAPE);
  for (let at = w2; at < b2; at += 1) bent[at] = (bent[at] ?? NaN) + 0.3 * random.normal();
  bent[b2] = bias;
  return bent;
}

function outputsOf(weights: FlatWeights, { x, count }: Samples): number[] {
  const hidden = hiddenActivations(SHAPE, weights, x);
  const { w2, b2 } = weightOffsets(SHAPE);
  return Array.from({ length: count }, (_, sample) =>
    Array.from({ length: SHAPE.hidden }).reduce<number>(
      (sum, _unit, unit) => sum + (hidden[sample * SHAPE.hidden + unit] ?? NaN) * (weights[w2 + unit] ?? NaN),
      weights[b2] ?? NaN,
    ),
  );
}

function samplesOf(seed: number, devices = DEVICES): Samples {
  const random = seededRandom(seed, 'samples');
  const count = devices * WINDOWS;
  const x = Float32Array.from({ length: count * FEATURES }, () => random.normal());
  const blank = {
    count,
    x,
    y: new Float32Array(count),
    device: new Int32Array(count),
    age: new Int32Array(count),
  };
  return {
    ...blank,
    y: Float32Array.from(outputsOf(TRUE, blank), (value) => value + 0.5 * random.normal()),
    device: blank.device.map((_, at) => Math.floor(at / WINDOWS)),
    age: blank.age.map((_, at) => at % WINDOWS),
  };
}

const SITES = [1, 2, 3, 4, 5].map((seed) => sumPanel(SHAPE, PROPOSAL, samplesOf(seed), WINDOWS));
const LIVE = samplesOf(99, 400);

/** As the aggregator reads them. */
function received(sums: RefitSums): RefitSums {
  const report = { type: 'refit-sums', round: 1, attempt: 'a', site: 'main', proposal: 'steady', ...sums };
  return panelSumsSchema.parse(JSON.parse(JSON.stringify(report)));
}

function combined(sites: readonly RefitSums[]): ReturnType<typeof combineSites> {
  const sums = sites.map((own) => ({ sums: received(own), devices: DEVICES, windows: WINDOWS }));
  return combineSites(sums, refitKind(SHAPE));
}

/** Share of correct forecasts on live windows of the model refitted from what these sites send; without sums of the model as it was. */
function accuracyWith(sites: readonly RefitSums[]): number {
  const { sums } = combined(sites);
  const refitted = sums && refitOutputLayer(SHAPE, PROPOSAL, sums);
  const outputs = outputsOf(refitted?.weights ?? PROPOSAL, LIVE);
  const correct = outputs.reduce((sum, output, at) => sum + isCorrect(output - (LIVE.y[at] ?? NaN)), 0);
  return correct / LIVE.count;
}

type Lie = (honest: RefitSums) => RefitSums;
const withMoment =
  (factor: number): Lie =>
  ({ gram, blocks }) => ({
    gram,
    blocks: blocks.map((block) => ({ ...block, moment: block.moment.map((value) => factor * value) })),
  });
const changedGram =
  (change: (value: number, i: number, j: number) => number): Lie =>
  ({ gram, blocks }) => ({
    gram: gram.map((value, at) =>
      change(value, Math.floor(at / (SHAPE.hidden + 1)), at % (SHAPE.hidden + 1)),
    ),
    blocks,
  });
const last = SHAPE.hidden;
const thousand = (at: number): number => (at === last ? 1 : 1_000);

const LIES: readonly { readonly lie: string; readonly reason: string; readonly tell: Lie }[] = [
  { lie: '10⁶ × the moment', reason: 'impossible-sums', tell: withMoment(1e6) },
  { lie: '−10⁶ × the moment', reason: 'impossible-sums', tell: withMoment(-1e6) },
  { lie: '10⁶ × the matrix', reason: 'impossible-sums', tell: changedGram((value) => 1e6 * value) },
  {
    lie: '10⁶ × the matrix of the hidden units, as large activations would make it',
    reason: 'unlike-other-sites',
    tell: changedGram((value, i, j) => thousand(i) * thousand(j) * value),
  },
  {
    lie: 'NaN in the matrix',
    reason: 'not-finite',
    tell: changedGram((value, i) => (i === 0 ? NaN : value)),
  },
  { lie: 'NaN as moment', reason: 'not-finite', tell: withMoment(NaN) },
  { lie: 'infinite moments', reason: 'not-finite', tell: withMoment(Infinity) },
  {
    lie: 'negative counts',
    reason: 'impossible-sums',
    tell: ({ gram, blocks }) => ({ gram, blocks: blocks.map((block) => ({ ...block, rows: -block.rows })) }),
  },
  {
    lie: 'counts of half a row',
    reason: 'impossible-sums',
    tell: ({ gram, blocks }) => ({ gram, blocks: blocks.map((block) => ({ ...block, rows: 0.5 })) }),
  },
  {
    lie: 'a matrix that is not symmetric',
    reason: 'impossible-sums',
    tell: changedGram((value, i, j) => (i > j ? 2 * value : value)),
  },
  {
    lie: 'a matrix that is not positive semidefinite',
    reason: 'impossible-sums',
    tell: changedGram((value, i, j) => (i === j ? value / 4 : value)),
  },
  {
    lie: 'blocks that cancel out, so that nothing seems to repeat',
    reason: 'impossible-sums',
    tell: ({ gram, blocks }) => ({
      gram,
      blocks: blocks.map((block, at) => ({
        ...block,
        moment: block.moment.map((value) => value + (at % 2 === 0 ? 1e6 : -1e6)),
      })),
    }),
  },
  {
    lie: 'more blocks than there are',
    reason: 'impossible-sums',
    tell: ({ gram, blocks }) => ({ gram, blocks: [...blocks, ...blocks] }),
  },
  { lie: 'sums of another network', reason: 'wrong-shape', tell: ({ blocks }) => ({ gram: [1], blocks }) },
];

const [first, ...others] = SITES;

describe('a refit from five sites', () => {
  const honest = accuracyWith(SITES);

  it('is worth a lot here, so that a lie can cost something', () => {
    expect(honest - accuracyWith([])).toBeGreaterThan(0.2);
  });

  it.each(LIES)('loses less than a point of accuracy when one of them sends $lie', ({ tell, reason }) => {
    const sites = [tell(first!), ...others];
    expect(combined(sites).refused).toEqual([{ place: 0, reason }]);
    expect(honest - accuracyWith(sites)).toBeLessThan(0.01);
  });
});

describe('a lie of a size that could be true', () => {
  const worth = accuracyWith(SITES) - accuracyWith([]);

  it.each([
    { lie: 'the moment turned round', tell: withMoment(-1) },
    { lie: 'twice the moment', tell: withMoment(2) },
    {
      lie: 'three times the activations',
      tell: changedGram((value, i, j) => value * (i === last ? 1 : 3) * (j === last ? 1 : 3)),
    },
  ])('cannot be told from the truth, and leaves half of what the refit is worth: $lie', ({ tell }) => {
    expect(accuracyWith([tell(first!), ...others]) - accuracyWith([])).toBeGreaterThan(worth / 2);
  });
});

it('sums of real samples are believed, whatever the samples are', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 30 }),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      (seed, count, size) => {
        const random = seededRandom(seed, 'any');
        const device = Int32Array.from({ length: count }, () => random.below(4));
        const samples = {
          count,
          x: Float32Array.from({ length: count * FEATURES }, () => size * random.normal()),
          y: Float32Array.from({ length: count }, () => 10 * random.normal()),
          device,
          age: device.map(() => random.below(WINDOWS)),
        };
        const sums = received(sumPanel(SHAPE, initialWeights(SHAPE, seed % 100), samples, WINDOWS));
        expect(faultOfSums(sums, refitKind(SHAPE), 4)).toBeNull();
      },
    ),
    { numRuns: 200 },
  );
});

describe('sums of features, of which the first version’s scaling is made', () => {
  const sums = emptyFeatureSums(DEFAULT_TASK);
  addRow(
    sums,
    Float32Array.from({ length: FEATURES }, (_, at) => at - 2),
    0,
  );
  addRow(
    sums,
    Float32Array.from({ length: FEATURES }, (_, at) => 2 * at),
    0,
  );
  const replaced = (list: readonly number[], value: number): number[] => [value, ...list.slice(1)];

  it('count when a device can have them', () => {
    expect(faultOfFeatureSums(sums, DEFAULT_TASK, 1)).toBeNull();
  });

  it('count of a device whose readings hold, beyond a round’s windows', () => {
    const held = {
      ...DEFAULT_TASK,
      target: { ...DEFAULT_TASK.target, holdMicros: 20 * DEFAULT_TASK.windowMicros },
    };
    const long = (windows: number): typeof sums => ({ ...sums, count: sums.count.map(() => windows) });
    const squares = { sumOfSquares: sums.sumOfSquares.map(() => 1e9) };
    expect(faultOfFeatureSums({ ...long(RING_WINDOWS + 20), ...squares }, held, 1)).toBeNull();
    expect(faultOfFeatureSums({ ...long(RING_WINDOWS + 21), ...squares }, held, 1)).toBe('impossible-sums');
    expect(faultOfFeatureSums({ ...long(RING_WINDOWS + 1), ...squares }, DEFAULT_TASK, 1)).toBe(
      'impossible-sums',
    );
  });

  it.each([
    ['wrong-shape', { ...sums, count: [1] }],
    ['not-finite', { ...sums, sum: replaced(sums.sum, NaN) }],
    ['impossible-sums', { ...sums, count: replaced(sums.count, -2) }],
    ['impossible-sums', { ...sums, count: replaced(sums.count, 1e9) }],
    ['impossible-sums', { ...sums, sumOfSquares: replaced(sums.sumOfSquares, -1) }],
    ['impossible-sums', { ...sums, sum: replaced(sums.sum, 1e6) }],
  ])('do not count as %s', (reason, forged) => {
    expect(faultOfFeatureSums(forged, DEFAULT_TASK, 1)).toBe(reason);
  });
});
