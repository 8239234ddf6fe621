import { siteNameSchema, type SiteName } from '../../../core/contracts/ids';
import { partsFor } from '../../../core/contracts/rounds';
import { softCorrect } from '../../../core/contracts/soft-score';
import { type StrategyName } from '../../../core/contracts/strategies';
import { type CheckedUpdate } from '../../../core/federation/aggregation/update-checks';
import { clipToMedianNorm } from '../../../core/federation/aggregation/clipping';
import { aggregateRound } from '../../../core/federation/aggregation/aggregate';
import { additiveContributions } from '../../../core/federation/contribution/additive';
import {
  combineContributions,
  faultOfContribution,
  type CombinedContributions,
} from '../../../core/federation/contribution/combine-sums';
import {
  isWeightedMean,
  measuredProposal,
  sitesOf,
  stepWithoutSite,
  type SiteAggregateRequest,
} from '../../../core/federation/contribution/leave-site-out';
import { mostGradient, softGradient } from '../../../core/federation/contribution/soft-gradient';
import {
  pairedSums,
  sumContributions,
  type OwnContributionSums,
} from '../../../core/federation/contribution/sum-contributions';
import { strategyByName } from '../../../core/federation/strategies';
import { type Samples } from '../../../core/federation/training/samples';
import { plus } from '../../../core/federation/vectors';
import { initialWeights } from '../../../core/model/network';
import { parameterCount, type FlatWeights } from '../../../core/model/types';
import { seededRandom } from '../../../core/platform/random';
import { forward } from '../../../bench/support/reference-network';

const SHAPE = { inputs: 4, hidden: 6 };
const PARAMETERS = parameterCount(SHAPE);
const A = siteNameSchema.parse('a');
const B = siteNameSchema.parse('b');
const C = siteNameSchema.parse('c');

/** Devices of a panel whose changes an unknown network makes, with noise; device 0 has one window alone. */
function panelOf(seed: number, devices = 40, windows = 6): Samples {
  const random = seededRandom(seed, 'panel');
  const count = devices * windows - (windows - 1);
  const x = Float32Array.from({ length: count * SHAPE.inputs }, () =>
    Math.max(-4, Math.min(4, random.normal())),
  );
  const truth = forward(SHAPE, initialWeights(SHAPE, 99), x, count);
  return {
    count,
    x,
    y: truth.map((value) => 1.5 * value + 0.4 * random.normal()),
    device: Int32Array.from({ length: count }, (_, at) => Math.ceil(at / windows)),
    age: new Int32Array(count),
  };
}

/** The mean over devices of each one's mean soft score. */
function softScore(weights: FlatWeights, samples: Samples): number {
  const outputs = forward(SHAPE, weights, samples.x, samples.count);
  const devices = new Map<number, number[]>();
  samples.device.forEach((device, at) => {
    const scores = devices.get(device) ?? [];
    devices.set(device, scores);
    scores.push(softCorrect((outputs[at] ?? NaN) - (samples.y[at] ?? NaN)));
  });
  const means = [...devices.values()].map((scores) => scores.reduce((sum, one) => sum + one) / scores.length);
  return means.reduce((sum, one) => sum + one, 0) / means.length;
}

/** Updates of a fleet of three sites that pull towards the truth, each device with an error of its own; those of site c pull away from it. */
function updatesOf(seed: number, perSite = 6): CheckedUpdate[] {
  const random = seededRandom(seed, 'updates');
  const base = initialWeights(SHAPE, 1);
  const truth = initialWeights(SHAPE, 99);
  return [A, B, C].flatMap((site) =>
    Array.from({ length: perSite }, (_, place) => ({
      deviceId: `${site}-${place}`,
      site,
      chunk: 0,
      place,
      delta: base.map(
        (value, at) => (site === C ? -0.02 : 0.06) * ((truth[at] ?? NaN) - value) + 0.02 * random.normal(),
      ),
      rows: 50 + 10 * place,
      selfReportedAccuracy: 0.8,
      baseLoss: 1,
    })),
  );
}

const requestOf = (
  updates: readonly CheckedUpdate[],
  strategy: StrategyName = 'fedavg',
): SiteAggregateRequest => ({
  strategy: strategyByName(strategy),
  strategySettings: {},
  updates,
  base: initialWeights(SHAPE, 1),
  learningRate: 0.1,
  localSteps: (rows) => rows,
  fleetDevices: 100,
  state: null,
  realAccuracy: updates.map((_, at) => ({ recent: 0.5 + at / 1_000, long: 0.5 + at / 1_000 })),
  rootUpdate: null,
  parts: partsFor(strategy, {}),
  noise: null,
});

const predictor = {
  predict: (weights: Float32Array, x: Float32Array) => {
    const rows = x.length / SHAPE.inputs;
    const outputs = Array.from({ length: weights.length / PARAMETERS }, (_, model) => [
      ...forward(SHAPE, weights.subarray(model * PARAMETERS, (model + 1) * PARAMETERS), x, rows),
    ]);
    return Promise.resolve(Float32Array.from(outputs.flat()));
  },
};

/** Pearson's correlation. */
function correlation(one: readonly number[], other: readonly number[]): number {
  const centred = (values: readonly number[]): number[] => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const [a, b] = [centred(one), centred(other)];
  const product = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, at) => sum + value * (y[at] ?? NaN), 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

describe('the gradient of a panel’s soft score', () => {
  it.each([1, 2, 3])('is what finite differences find (seed %i)', (seed) => {
    const samples = panelOf(seed);
    const weights = initialWeights(SHAPE, seed + 10);
    const gradient = softGradient(SHAPE, weights, samples).map((sum) => sum / 40);
    const step = 1e-3;
    for (let at = 0; at < PARAMETERS; at += 1) {
      const moved = (by: number): FlatWeights => weights.map((value, k) => (k === at ? value + by : value));
      const slope = (softScore(moved(step), samples) - softScore(moved(-step), samples)) / (2 * step);
      // A unit that wakes or rests within the step has another slope on either side.
      expect(Math.abs((gradient[at] ?? NaN) - slope)).toBeLessThan(2e-3);
    }
  });

  it('counts a device once, however many windows it has', () => {
    const samples = panelOf(1, 2);
    const weights = initialWeights(SHAPE, 5);
    const twice: Samples = {
      count: samples.count + 1,
      x: Float32Array.from([...samples.x.subarray(0, SHAPE.inputs), ...samples.x]),
      y: Float32Array.from([samples.y[0] ?? NaN, ...samples.y]),
      device: Int32Array.from([0, ...samples.device]),
      age: new Int32Array(samples.count + 1),
    };
    const once = softGradient(SHAPE, weights, samples);
    softGradient(SHAPE, weights, twice).forEach((value, at) => {
      expect(value).toBeCloseTo(once[at] ?? NaN, 10);
    });
  });

  it.each([1, 2, 3])('is never larger than the network’s weights let it be (seed %i)', (seed) => {
    const weights = initialWeights(SHAPE, seed);
    const most = mostGradient(SHAPE, weights);
    softGradient(SHAPE, weights, panelOf(seed)).forEach((value, at) => {
      expect(Math.abs(value)).toBeLessThanOrEqual(40 * (most[at] ?? NaN));
    });
  });
});

describe('the additive form', () => {
  /** Contributions of devices and sites in both forms, by the same panel. */
  function bothForms(seed: number): Record<'devices' | 'sites', { exact: number[]; additive: number[] }> {
    const samples = panelOf(seed, 200);
    const updates = updatesOf(seed);
    const request = requestOf(updates);
    const proposal = aggregateRound(request).proposals[0]!;
    const full = plus(request.base, proposal.delta);
    const score = softScore(full, samples);
    const without = (kept: readonly CheckedUpdate[]): number =>
      score - softScore(plus(request.base, aggregateRound(requestOf(kept)).proposals[0]!.delta), samples);
    const gradient = Float32Array.from(softGradient(SHAPE, full, samples), (sum) => sum / 200);
    const additive = additiveContributions(
      gradient,
      updates.map((update, at) => ({ ...update, weight: proposal.weights[at] ?? NaN })),
    );
    return {
      devices: {
        exact: updates.map(({ deviceId }) => without(updates.filter((one) => one.deviceId !== deviceId))),
        additive: additive.updates.map((value) => value ?? NaN),
      },
      sites: {
        exact: [A, B, C].map((site) => without(updates.filter((one) => one.site !== site))),
        additive: [A, B, C].map((site) => additive.sites.get(site) ?? NaN),
      },
    };
  }

  it.each([1, 2, 3, 4, 5])(
    'agrees with exact leave-one-out of devices in order and size (seed %i)',
    (seed) => {
      const { exact, additive } = bothForms(seed).devices;
      expect(correlation(exact, additive)).toBeGreaterThan(0.98);
      const size = (values: readonly number[]): number => Math.hypot(...values);
      expect(size(additive) / size(exact)).toBeGreaterThan(0.8);
      expect(size(additive) / size(exact)).toBeLessThan(1.25);
    },
  );

  it.each([1, 2, 3, 4, 5])(
    'tells which site helps and which one harms, as exact leave-one-out does (seed %i)',
    (seed) => {
      const { exact, additive } = bothForms(seed).sites;
      expect(additive.map(Math.sign)).toEqual(exact.map(Math.sign));
      expect(Math.sign(exact[2] ?? NaN)).toBe(-1);
      expect(correlation(exact, additive)).toBeGreaterThan(0.98);
    },
  );

  it('adds up: contributions times what they leave behind are zero over all, and a site’s over its devices', () => {
    const updates = updatesOf(7).map((update, at) => ({ ...update, weight: (1 + at) / 171 }));
    const gradient = initialWeights(SHAPE, 3);
    const additive = additiveContributions(gradient, updates);
    const scaled = updates.map(({ weight }, at) => (1 - weight) * (additive.updates[at] ?? NaN));
    expect(scaled.reduce((sum, one) => sum + one, 0)).toBeCloseTo(0, 8);
    for (const site of [A, B, C]) {
      const own = updates.flatMap((update, at) => (update.site === site ? [{ ...update, at }] : []));
      const share = own.reduce((sum, { weight }) => sum + weight, 0);
      const ofDevices = own.reduce((sum, { at }) => sum + (scaled[at] ?? NaN), 0);
      expect((1 - share) * (additive.sites.get(site) ?? NaN)).toBeCloseTo(ofDevices, 8);
    }
  });

  it('gives no figure to a device or a site that is alone, and zero where all updates are the same', () => {
    const [one] = updatesOf(1);
    const gradient = initialWeights(SHAPE, 3);
    const alone = additiveContributions(gradient, [{ ...one!, weight: 1 }]);
    expect(alone.updates).toEqual([null]);
    expect(alone.sites.get(A)).toBeNull();
    const same = additiveContributions(gradient, [
      { ...one!, weight: 0.5 },
      { ...one!, weight: 0.5 },
    ]);
    expect(same.updates).toEqual([0, 0]);
  });

  it('gives no figure that is not finite', () => {
    const [one] = updatesOf(1);
    const broken = { ...one!, delta: new Float32Array(PARAMETERS).fill(NaN), weight: 0.5 };
    const found = additiveContributions(initialWeights(SHAPE, 3), [broken, { ...one!, weight: 0.5 }]);
    expect(found.updates).toEqual([null, null]);
  });
});

describe('a proposal without one site', () => {
  it('is what the strategy makes of the other sites’ updates, clipped among themselves', () => {
    const updates = updatesOf(1).map((update) => ({
      ...update,
      delta: update.site === C ? update.delta.map((value) => 10 * value) : update.delta,
    }));
    const request = { ...requestOf(updates), parts: partsFor('fedavg', { clipping: true }) };
    const others = updates.filter(({ site }) => site !== A);
    const { deltas } = clipToMedianNorm(others.map(({ delta }) => delta));
    const expected = aggregateRound(
      requestOf(others.map((update, at) => ({ ...update, delta: deltas[at]! }))),
    ).proposals[0]!.delta;
    expect(stepWithoutSite(request, A)).toEqual({ delta: expected, refused: null });
  });

  it('takes each remaining update with its own real accuracy, and the steady step of the closed loop', () => {
    const updates = updatesOf(2);
    const request = requestOf(updates, 'closed-loop');
    const bad = { recent: 0.1, long: 0.1 };
    const realAccuracy = updates.map(({ site, place }, at) =>
      site === B && place === 0 ? bad : request.realAccuracy![at]!,
    );
    const kept = updates.filter(({ site }) => site !== A);
    const expected = measuredProposal(
      aggregateRound({ ...request, updates: kept, realAccuracy: realAccuracy.slice(6) }).proposals,
    );
    expect(expected?.role).toBe('steady');
    expect(expected?.leftOut).toContain('worse-than-median');
    expect(stepWithoutSite({ ...request, realAccuracy }, A).delta).toEqual(expected?.delta);
  });

  it('has a reason in its place where the strategy needs more updates', () => {
    const request = { ...requestOf(updatesOf(1, 1), 'bulyan'), strategySettings: { f: 0 } };
    const two = stepWithoutSite(request, A);
    expect(two.delta).toBeNull();
    expect(two.refused).toMatch(/bulyan/);
  });

  it('leaves the state of the round as it was', () => {
    const request = requestOf(updatesOf(1), 'fedavgm');
    const before = aggregateRound(request);
    stepWithoutSite(request, A);
    expect(aggregateRound(request)).toEqual(before);
  });

  it('is made for sites that sent updates, in order of their names', () => {
    expect(sitesOf([...updatesOf(1)].reverse())).toEqual([A, B, C]);
  });
});

describe('whether a step is the mean of its updates', () => {
  it.each<[StrategyName, boolean]>([
    ['fedavg', true],
    ['closed-loop', true],
    ['multi-krum', true],
    ['fedadam', false],
    ['median', false],
  ])('of %s: %s', (name, isMean) => {
    const updates = updatesOf(3);
    const request = { ...requestOf(updates, name), parts: partsFor('fedavg', {}) };
    expect(isWeightedMean(measuredProposal(aggregateRound(request).proposals)!, updates)).toBe(isMean);
  });
});

describe('what sites say of contributions', () => {
  const weights = initialWeights(SHAPE, 4);
  const proposal = { shape: SHAPE, weights };
  const other = plus(
    weights,
    initialWeights(SHAPE, 6).map((value) => 0.05 * value),
  );

  const sumsOf = (seed: number, devices = 20): Promise<OwnContributionSums> =>
    sumContributions(
      SHAPE,
      predictor,
      weights,
      [
        { site: A, weights: other },
        { site: B, weights },
      ],
      panelOf(seed, devices),
    );

  const combined = (reports: readonly OwnContributionSums[]): CombinedContributions => {
    const found = combineContributions(reports);
    if (found === null) throw new Error('nothing was measured');
    return found;
  };
  const softOf = (found: CombinedContributions, site: SiteName = A): number =>
    found.exact.get(site)?.soft.mean ?? NaN;

  it('is the score of the proposal minus that without the site, over the devices of all sites', async () => {
    const [one, two] = [panelOf(1, 20), panelOf(2, 60)];
    const found = combined([await sumsOf(1, 20), await sumsOf(2, 60)]);
    const gain = (samples: Samples): number => softScore(weights, samples) - softScore(other, samples);
    expect(found.devices).toBe(80);
    expect(softOf(found)).toBeCloseTo((20 * gain(one) + 60 * gain(two)) / 80, 6);
    expect(found.exact.get(A)?.soft.standardError).toBeGreaterThan(0);
  });

  it('is zero without error for a site whose updates change nothing', async () => {
    const found = combined([await sumsOf(1), await sumsOf(2)]);
    expect(found.exact.get(B)).toEqual({
      accuracy: { mean: 0, standardError: 0 },
      soft: { mean: 0, standardError: 0 },
    });
  });

  it('is nothing where no site has devices on the panel, and passes over one that has none', async () => {
    const empty = await sumContributions(SHAPE, predictor, weights, [{ site: A, weights: other }], {
      count: 0,
      x: new Float32Array(),
      y: new Float32Array(),
      device: new Int32Array(),
      age: new Int32Array(),
    });
    expect(combineContributions([empty])).toBeNull();
    expect(faultOfContribution(empty, proposal, 0)).toBeNull();
    const some = await sumsOf(1);
    expect(combined([empty, some])).toEqual(combined([some]));
  });

  it('is believed where the site’s panel can have measured it', async () => {
    for (const seed of [1, 2, 3]) expect(faultOfContribution(await sumsOf(seed), proposal, 200)).toBeNull();
  });

  it.each<[string, string, (sums: OwnContributionSums) => OwnContributionSums]>([
    ['of more devices than the site has there', 'impossible-sums', (sums) => ({ ...sums, devices: 21 })],
    ['of another network', 'wrong-shape', (sums) => ({ ...sums, gradient: sums.gradient.slice(1) })],
    [
      'that are not finite',
      'not-finite',
      (sums) => ({ ...sums, gradient: sums.gradient.map((value, at) => (at === 3 ? NaN : value)) }),
    ],
    [
      'with a gradient that no readings have',
      'impossible-sums',
      (sums) => ({ ...sums, gradient: sums.gradient.map((value) => 1_000 * value) }),
    ],
    [
      'with more gained than there is to gain',
      'impossible-sums',
      (sums) => ({ ...sums, without: sums.without.map((pair) => ({ ...pair, softDifference: 20.1 })) }),
    ],
    [
      'with squares that do not fit their sum',
      'impossible-sums',
      (sums) => ({
        ...sums,
        without: sums.without.map((pair) => ({ ...pair, difference: 10, squaredDifference: 1 })),
      }),
    ],
  ])('does not count: sums %s', async (_, reason, forge) => {
    expect(faultOfContribution(forge(await sumsOf(1)), proposal, 200)).toBe(reason);
  });

  it('moves within what the others say when one of four sites lies as far as it can', async () => {
    const honest = [await sumsOf(1), await sumsOf(2), await sumsOf(3)];
    const truth = combined([...honest, await sumsOf(4)]);
    const most = mostGradient(SHAPE, weights);
    const liar: OwnContributionSums = {
      devices: 20,
      gradient: [...most].map((value) => -20 * value),
      without: [A, B].map((site) => ({
        site,
        difference: -20,
        squaredDifference: 20,
        softDifference: -20,
        squaredSoftDifference: 20,
      })),
    };
    expect(faultOfContribution(liar, proposal, 200)).toBeNull();
    const found = combined([...honest, liar]);
    // One of its twenty devices, of eighty.
    expect(Math.abs(softOf(found, B))).toBeLessThanOrEqual(1 / 80 + 1e-9);
    expect(Math.abs(softOf(found) - softOf(truth))).toBeLessThan(0.02);
    const length = (vector: FlatWeights): number => Math.hypot(...vector);
    const moved = length(truth.gradient.map((value, at) => value - (found.gradient[at] ?? NaN)));
    expect(moved).toBeLessThan(length(truth.gradient));
  });

  it('keeps its chance where most sites see no forecast change from right to wrong', () => {
    const of = (difference: number): OwnContributionSums => ({
      devices: 20,
      gradient: [],
      without: [
        {
          site: A,
          difference,
          squaredDifference: difference ** 2,
          softDifference: 0,
          squaredSoftDifference: 0,
        },
      ],
    });
    const { mean, standardError } = combined([of(0), of(0), of(1 / 6)]).exact.get(A)!.accuracy;
    expect(mean).toBeCloseTo(1 / 360, 12);
    expect(standardError).toBeCloseTo(Math.sqrt((1 / 36 / 60 - mean ** 2) / 59), 12);
  });

  it('has no error that one device could show', async () => {
    const found = combined([await sumsOf(1, 1)]);
    expect(found.exact.get(A)).toMatchObject({
      accuracy: { standardError: null },
      soft: { standardError: null },
    });
  });

  it('pairs a device’s windows and counts a device once', () => {
    const samples: Samples = {
      count: 3,
      x: new Float32Array(),
      y: Float32Array.from([0, 0, 0]),
      device: Int32Array.from([0, 0, 1]),
      age: new Int32Array(3),
    };
    expect(pairedSums(samples, [0, 0, 2], [2, 0, 0])).toMatchObject({
      difference: 0.5 - 1,
      squaredDifference: 0.25 + 1,
    });
  });
});
