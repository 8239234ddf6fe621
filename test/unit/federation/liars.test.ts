import { deviceInfluence } from '../../../core/federation/panels/device-influence';
import { combineSites, type SiteSums } from '../../../core/federation/panels/refit-sites';
import {
  arePossibleScores,
  faultOfSums,
  refitKind,
  isPossibleTally,
  mostPanelDevices,
} from '../../../core/federation/panels/report-checks';
import { type RefitSums } from '../../../core/federation/panels/additive-sums';
import { refitSums } from '../../../core/federation/panels/refit';
import { addTallies, tallyPanel } from '../../../core/federation/panels/panel-tally';
import { typicalSums } from '../../../core/federation/training/feature-sums';
import { DEFAULT_TASK, featureCount } from '../../../core/contracts/task';
import { addRow, emptyFeatureSums, scalingOf } from '../../../core/model/features';
import { seededRandom } from '../../../core/platform/random';

const shape = { inputs: 1, hidden: 1 };
const KIND = refitKind(shape);
const WINDOWS = 6;

/** A site of ten devices whose forecasts are too low by 0.3 on average. */
function siteSums(seed: number): RefitSums {
  const random = seededRandom(seed, 'site');
  const samples = 10 * WINDOWS;
  return refitSums(shape, {
    activations: Float32Array.from({ length: samples }, () => 1 + 0.1 * random.normal()),
    outputs: new Float64Array(samples),
    actual: Float64Array.from({ length: samples }, () => 0.3 + 0.5 * random.normal()),
    blockOf: Int32Array.from({ length: samples }, (_, at) => at % WINDOWS),
    deviceOf: Int32Array.from({ length: samples }, (_, at) => Math.floor(at / WINDOWS)),
  });
}

const times = ({ gram, blocks }: RefitSums, all: number, moments: number): RefitSums => ({
  gram: gram.map((value) => all * value),
  blocks: blocks.map(({ rows, moment }) => ({
    rows: all * rows,
    moment: moment.map((value) => all * moments * value),
  })),
});
const site = (sums: RefitSums): SiteSums => ({ sums, devices: 10, windows: WINDOWS });
/** What all blocks together ask of the output's bias. */
const biasAskedFor = (sums: RefitSums | null): number =>
  (sums?.blocks ?? []).reduce((sum, { moment }) => sum + (moment[1] ?? NaN), 0);

describe('a refit from the sums of ten sites', () => {
  const sites = Array.from({ length: 10 }, (_, seed) => siteSums(seed));
  const honest = biasAskedFor(combineSites(sites.map(site), KIND).sums);
  const [first, ...others] = sites;
  const withLie = (lie: RefitSums): number =>
    biasAskedFor(combineSites([lie, ...others].map(site), KIND).sums);

  it.each([
    { what: 'turned round', all: 1, moments: -1 },
    { what: 'turned round and ten times as long', all: 1, moments: -10 },
    { what: 'a million times as many', all: 1e6, moments: -1 },
  ])('keeps two thirds of its step when one site’s are $what', ({ all, moments }) => {
    const asked = withLie(times(first!, all, moments));
    expect(asked / honest).toBeGreaterThan(2 / 3);
    expect(asked / honest).toBeLessThan(1);
  });

  it('counts and leaves out what no samples can sum up to', () => {
    const impossible = times(first!, 1, -1e6);
    const { sums, refused } = combineSites([impossible, ...others].map(site), KIND);
    expect(refused).toEqual([{ place: 0, reason: 'impossible-sums' }]);
    expect(biasAskedFor(sums)).toBeCloseTo(biasAskedFor(combineSites(others.map(site), KIND).sums), 9);
    expect(combineSites([site(impossible)], KIND).sums).toBeNull();
  });

  it('believes whatever real samples sum up to', () => {
    for (const sums of sites) expect(faultOfSums(sums, KIND, 10)).toBeNull();
  });
});

describe('a device of made-up readings', () => {
  it('pulls no harder than 1.5 × the median device, and the others as hard as they do', () => {
    const random = seededRandom(1, 'devices');
    const samples = Array.from({ length: 11 * 24 }, (_, at) => {
      const device = Math.floor(at / 24);
      return { device, weight: 1, residual: device === 0 ? 1.5 : 0.5 * random.normal() };
    });
    const influence = deviceInfluence(1, new Float32Array(samples.length).fill(1), samples);
    const pulls = Array.from({ length: 11 }, (_, device) => {
      const sum = samples
        .filter((sample) => sample.device === device)
        .reduce((total, { residual }) => total + residual, 0);
      return Math.abs(sum) * (influence.get(device) ?? NaN);
    });
    const typical = pulls.slice(1).sort((one, other) => one - other)[4] ?? NaN;
    expect(pulls[0]! / typical).toBeLessThan(2);
    expect(influence.get(0)).toBeLessThan(0.2);
    expect([...influence.values()].filter((share) => share === 1).length).toBeGreaterThanOrEqual(6);
  });
});

describe('counts of a site', () => {
  const samples = {
    count: 2,
    x: new Float32Array(2),
    y: Float32Array.from([0, 0]),
    device: Int32Array.from([0, 1]),
    age: new Int32Array(2),
  };
  const tally = tallyPanel(samples, [0.2, 3], [2, 3]);

  it('count when two devices can have them', () => {
    expect(isPossibleTally(tally, 2)).toBe(true);
    expect(isPossibleTally(addTallies([]), 2)).toBe(true);
  });

  it.each([
    { ...tally, rows: 2_000_000, devices: 1_000_000 },
    { ...tally, rows: 13 },
    { ...tally, correct: 3 },
    { ...tally, softCorrect: 2.5 },
    { ...tally, softCorrect: Number.NaN },
    { ...tally, difference: -3 },
    { ...tally, squaredError: -1 },
  ])('do not count when nothing can have been measured so: %j', (forged) => {
    expect(isPossibleTally(forged, 2)).toBe(false);
  });

  it('of local models are at most one a device and window, and no more right than there are', () => {
    const scores = { rows_recent: 12, rows_long: 48, correct_recent: [12, 3], correct_long: [40, 4] };
    expect(arePossibleScores(scores, 2)).toBe(true);
    expect(arePossibleScores(scores, 1)).toBe(false);
    expect(arePossibleScores({ ...scores, correct_recent: [13, 3] }, 2)).toBe(false);
    expect(arePossibleScores({ ...scores, correct_long: [40, 49] }, 2)).toBe(false);
  });

  it('come from a tenth of its devices, 250 at most and one at least', () => {
    expect([0, 4, 95, 10_000].map(mostPanelDevices)).toEqual([1, 1, 10, 250]);
  });
});

describe('the scaling of the first version', () => {
  /** A device whose values of every feature lie `scale` around `level`. */
  const device = (seed: number, scale: number, level = 0): ReturnType<typeof emptyFeatureSums> => {
    const random = seededRandom(seed, 'features');
    const sums = emptyFeatureSums(DEFAULT_TASK);
    for (let row = 0; row < 200; row += 1)
      addRow(
        sums,
        Float32Array.from({ length: featureCount(DEFAULT_TASK) }, () => level + scale * random.normal()),
        0,
      );
    return sums;
  };
  const most = Array.from({ length: 9 }, (_, seed) => device(seed, 1));
  const scaleWith = (...added: (typeof most)[number][]): number =>
    scalingOf(DEFAULT_TASK, typicalSums(DEFAULT_TASK, [...most, ...added])).scale[0]!;

  it('is that of the others when one device’s readings jump by 50 degrees', () => {
    expect(scaleWith(device(99, 50))).toBeCloseTo(scaleWith(), 9);
    expect(scaleWith(device(99, 1, 1_000))).toBeCloseTo(scaleWith(), 9);
  });

  it('has a part for a sensor in another unit', () => {
    expect(scaleWith(device(99, 1.8))).toBeGreaterThan(scaleWith());
  });

  it('is that of both where there are two, as nobody can tell which is wrong', () => {
    const two = [device(1, 1), device(2, 50)];
    expect(scalingOf(DEFAULT_TASK, typicalSums(DEFAULT_TASK, two)).scale[0]!).toBeGreaterThan(30);
  });
});
