import {
  type LinearModel,
  linearOfNetwork,
  linearOutputs,
  linearSums,
  networkOfLinear,
  nextLinear,
  noLinearModel,
} from '../../../core/federation/panels/linear';
import { addRefitSums, type RefitSums } from '../../../core/federation/panels/additive-sums';
import { combineSites } from '../../../core/federation/panels/refit-sites';
import { faultOfSums, linearKind } from '../../../core/federation/panels/report-checks';
import { type Samples } from '../../../core/federation/training/samples';
import { seededRandom } from '../../../core/platform/random';
import { forward } from '../../../bench/support/reference-network';

const SHAPE = { inputs: 3, hidden: 4 };
const WINDOWS = 48;
const DEVICES = 20;
const TRUE: LinearModel = [0.8, -0.5, 0, 0.3];

/** Samples of a fleet whose changes follow a linear model, with noise; `weatherOf` is what all devices share in a window. */
function samplesOf(seed: number, weatherOf: (window: number) => number = () => 0): Samples {
  const random = seededRandom(seed, 'samples');
  const count = DEVICES * WINDOWS;
  const x = Float32Array.from({ length: count * SHAPE.inputs }, () => random.normal());
  const device = Int32Array.from({ length: count }, (_, at) => Math.floor(at / WINDOWS));
  const age = Int32Array.from({ length: count }, (_, at) => at % WINDOWS);
  const truth = linearOutputs(TRUE, { x, count });
  const y = Float32Array.from(truth, (value, at) => value + weatherOf(age[at] ?? 0) + 0.3 * random.normal());
  return { count, x, y, device, age };
}

const fitted = (before: LinearModel, ...sites: readonly Samples[]) =>
  nextLinear(before, addRefitSums(sites.map((samples) => linearSums(before, samples, WINDOWS))));

const withMoments = ({ gram, blocks }: RefitSums, times: number): RefitSums => ({
  gram,
  blocks: blocks.map((block) => ({ ...block, moment: block.moment.map((value) => times * value) })),
});

describe('the fleet’s linear model', () => {
  const none = noLinearModel(SHAPE);

  it('is found from the sums of sites, each of which sends no reading', () => {
    const found = fitted(none, samplesOf(1), samplesOf(2), samplesOf(3));
    found?.model.forEach((value, at) => {
      expect(value).toBeCloseTo(TRUE[at] ?? NaN, 1);
    });
    expect(found?.share).toBeGreaterThan(0.99);
  });

  it('is hardly moved by a tenth of readings that are far off', () => {
    const samples = samplesOf(4);
    const y = samples.y.map((value, at) => (at % 10 === 0 ? value + 50 : value));
    const found = fitted(none, { ...samples, y });
    found?.model.forEach((value, at) => {
      expect(Math.abs(value - (TRUE[at] ?? NaN))).toBeLessThan(0.1);
    });
  });

  it('is hardly bent by a tenth of devices whose broken sensors fill all features with jumps', () => {
    const samples = samplesOf(8);
    const broken = (sample: number): boolean => (samples.device[sample] ?? 0) < DEVICES / 10;
    const x = samples.x.map((value, at) =>
      broken(Math.floor(at / SHAPE.inputs)) ? Math.sign(value) * 8 : value,
    );
    const y = samples.y.map((value, sample) =>
      broken(sample) ? -6 * Math.sign(x[sample * SHAPE.inputs] ?? 0) : value,
    );
    fitted(none, { ...samples, x, y })?.model.forEach((value, at) => {
      expect(Math.abs(value - (TRUE[at] ?? NaN))).toBeLessThan(0.1);
    });
  });

  it.each([
    { lie: 'turned round', times: -1 },
    { lie: 'turned round and three times as long', times: -3 },
  ])('keeps nine tenths of itself when one site of ten sends sums that are $lie', ({ times }) => {
    const sites = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((seed) => linearSums(none, samplesOf(seed), WINDOWS));
    const lied = sites.map((sums, place) => (place === 0 ? withMoments(sums, times) : sums));
    const { sums } = combineSites(
      lied.map((own) => ({ sums: own, devices: DEVICES, windows: WINDOWS })),
      linearKind(SHAPE),
    );
    const model = nextLinear(none, sums!)!.model;
    expect(model[0]! / TRUE[0]!).toBeGreaterThan(0.9);
    expect(model[1]! / TRUE[1]!).toBeGreaterThan(0.9);
  });

  it('stays nearer to the one before it where all devices share a weather that changes', () => {
    const before = TRUE.map((value) => value / 2);
    const [steady, stormy] = [() => 0, (window: number) => 3 * Math.sin(window / 3)].map(
      (weather) => fitted(before, samplesOf(5, weather))?.share ?? 0,
    );
    expect(stormy).toBeLessThan(steady ?? 0);
  });

  it('is a network whose first two units do all, and nothing else', () => {
    const { x, count } = samplesOf(6);
    const weights = networkOfLinear(SHAPE, TRUE);
    const outputs = forward(SHAPE, weights, x, count);
    linearOutputs(TRUE, { x, count }).forEach((value, at) => {
      expect(outputs[at]).toBeCloseTo(value, 4);
    });
    linearOfNetwork(SHAPE, weights).forEach((value, at) => {
      expect(value).toBeCloseTo(TRUE[at] ?? NaN, 6);
    });
  });

  it('is made of sums that samples can have, and of no others', () => {
    const sums = linearSums(none, samplesOf(7), WINDOWS);
    expect(faultOfSums(sums, linearKind(SHAPE), DEVICES)).toBeNull();
    expect(faultOfSums(withMoments(sums, 1e6), linearKind(SHAPE), DEVICES)).toBe('impossible-sums');
    expect(faultOfSums(sums, linearKind({ inputs: 5 }), DEVICES)).toBe('wrong-shape');
  });
});
