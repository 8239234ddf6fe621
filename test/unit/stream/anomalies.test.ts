import fc from 'fast-check';
import { DevicePasts } from '../../../core/stream/anomalies/device-pasts';
import { Tail } from '../../../core/stream/anomalies/tail';
import { VersionAnomalies } from '../../../core/stream/anomalies/version-anomalies';
import {
  type Finding,
  scoreToLearn,
  TEST_SHARES,
  WindowDetector,
} from '../../../core/stream/anomalies/window-detector';
import { type DeviceSummary } from '../../../core/stream/windows/summary';
import { sampleStddev } from '../../../core/stream/windows/statistics';
import { type Random, seededRandom } from '../../../core/platform/random';

const TOLERANCE = 1;

function learnt(scores: readonly number[], windows = 20): Tail {
  const tail = new Tail();
  const size = Math.ceil(scores.length / windows);
  for (let from = 0; from < scores.length; from += size) tail.learn(scores.slice(from, from + size));
  return tail;
}

/** Absolute values of normal variables. */
function halfNormal(count: number, seed = 1): number[] {
  const random = seededRandom(seed, 'tail');
  return Array.from({ length: count }, () => Math.abs(random.normal()));
}

describe('a tail', () => {
  it('has the limits of the scores that it saw: those of normal ones', () => {
    const tail = learnt(halfNormal(40_000));
    // Two-sided quantiles of the standard normal distribution.
    expect(tail.limit(0.05)).toBeCloseTo(1.96, 1);
    expect(tail.limit(0.01)).toBeCloseTo(2.576, 1);
    expect(Math.abs(tail.limit(0.002) - 3.09)).toBeLessThan(0.15);
  });

  it('goes on beyond what it saw, neither far too near nor far too far', () => {
    // One in 100,000 of 40,000: 4.42 for normal scores, 11.5 for exponential ones.
    const limits = [1, 2, 3, 4].map((seed) => learnt(halfNormal(40_000, seed)).limit(1e-5));
    for (const limit of limits) expect(Math.abs(limit - 4.42)).toBeLessThan(0.5);
    const random = seededRandom(5, 'tail');
    const exponential = Array.from({ length: 40_000 }, () => -Math.log(1 - random.uniform()));
    expect(Math.abs(learnt(exponential).limit(1e-5) - 11.5)).toBeLessThan(2);
  });

  it('begins heavier than a normal one: too few alarms rather than too many', () => {
    expect(new Tail().limit(1e-5)).toBeGreaterThan(5);
    expect(new Tail().share(3)).toBeGreaterThan(0.0027);
  });

  it('has a larger limit for a smaller share, and the share of a limit is the share', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 400 }),
        fc.double({ min: 1e-9, max: 0.5, noNaN: true }),
        fc.double({ min: 1e-9, max: 0.5, noNaN: true }),
        (scores, one, other) => {
          const tail = learnt(scores, 4);
          const [small, large] = [Math.min(one, other), Math.max(one, other)];
          expect(tail.limit(small)).toBeGreaterThanOrEqual(tail.limit(large));
          expect(tail.share(0)).toBeCloseTo(1, 9);
          const limit = tail.limit(one);
          // Beyond the last bin all scores are alike.
          if (limit < 200 && limit > 0.3)
            expect(Math.abs(Math.log(tail.share(limit) / one))).toBeLessThan(0.01);
        },
      ),
    );
  });

  it('is the same when it is restored', () => {
    const tail = learnt(halfNormal(500));
    const again = new Tail();
    again.restore(tail.save());
    expect([again.limit(1e-4), again.share(2.2)]).toEqual([tail.limit(1e-4), tail.share(2.2)]);
  });

  it('learns nothing of a labelled anomaly, and little more than its limit of what nobody knows', () => {
    expect(scoreToLearn(9, 4, 1)).toBeNaN();
    expect(scoreToLearn(9, 4, null)).toBe(5);
    expect(scoreToLearn(9, 4, 0)).toBe(9);
    expect(scoreToLearn(2, 4, null)).toBe(2);
  });
});

function summaryOf(readings: readonly number[], label: 0 | 1 | null = null): DeviceSummary {
  const count = readings.length;
  const mean = readings.reduce((sum, reading) => sum + reading, 0) / count;
  const squares = readings.reduce((sum, reading) => sum + (reading - mean) ** 2, 0);
  const [min, max] = [Math.min(...readings), Math.max(...readings)];
  const stddev = min === max ? 0 : sampleStddev(squares, count);
  return { count, mean, min, max, stddev, maxAbsZ: 0, outliers: 0, covariates: [], label, anomaly: label };
}

/** A fleet whose windows the detector judges one by one. */
class Fleet {
  readonly detector = new WindowDetector(TOLERANCE);
  private readonly means = new Map<number, number>();

  constructor(private readonly falseAlarms: number) {}

  window(readings: ReadonlyMap<number, DeviceSummary>): ReadonlyMap<number, Finding> {
    const findings = this.detector.judge(
      readings,
      () => NaN,
      (device) => this.means.get(device) ?? NaN,
    );
    this.detector.learn(readings, findings, this.falseAlarms);
    for (const [device, { mean }] of readings) this.means.set(device, mean);
    return findings;
  }

  isUnusual({ scatter, stillness }: Finding): boolean {
    const { falseAlarms, detector } = this;
    return scatter > detector.scatterLimit(falseAlarms) || stillness <= TEST_SHARES.stillness * falseAlarms;
  }
}

/** Twelve normal readings. */
function normal(random: Random, mean: number, stddev: number): number[] {
  return Array.from({ length: 12 }, () => mean + stddev * random.normal());
}

const DEVICES = Array.from({ length: 200 }, (_, device) => device);
/** Devices scatter by 0.1 to 0.3 tolerances, each by its own. */
const stddevOf = (device: number): number => 0.1 + 0.001 * device;

const levelOf = (device: number, window: number): number => 20 + Math.sin(window / 4 + device);

/** A fleet that has seen so many windows without anything in them. */
function calmFleet(random: Random, windows: number, falseAlarms = 1e-4, still: number[] = []): Fleet {
  const fleet = new Fleet(falseAlarms);
  for (let window = 0; window < windows; window += 1)
    fleet.window(
      new Map(
        DEVICES.map((device) => [
          device,
          summaryOf(
            still.includes(device)
              ? new Array<number>(12).fill(20)
              : normal(random, levelOf(device, window), stddevOf(device)),
          ),
        ]),
      ),
    );
  return fleet;
}

describe('a device beside its own past', () => {
  const random = seededRandom(11, 'devices');

  it('is a spike where a few readings lie far from the others, by the scatter that is usual for it', () => {
    const fleet = calmFleet(random, 30);
    const quiet = normal(random, 20, stddevOf(0)).map((reading, at) => reading + (at < 3 ? 1 : 0));
    const loud = normal(random, 20, stddevOf(199));
    const findings = fleet.window(
      new Map([
        [0, summaryOf(quiet)],
        [199, summaryOf(loud)],
      ]),
    );
    expect(fleet.isUnusual(findings.get(0)!)).toBe(true);
    expect(findings.get(0)!.scatterKind).toBe('spike');
    expect(fleet.isUnusual(findings.get(199)!)).toBe(false);
  });

  it('is noise where all readings lie far apart', () => {
    const fleet = calmFleet(random, 30);
    const alternating = Array.from({ length: 12 }, (_, at) => 20 + (at % 2 === 0 ? 1 : -1));
    const finding = fleet.window(new Map([[5, summaryOf(alternating)]])).get(5)!;
    expect(fleet.isUnusual(finding)).toBe(true);
    expect(finding.scatterKind).toBe('noise');
  });

  it('is stuck where it moves no more for several windows, unless it never did', () => {
    const fleet = calmFleet(random, 60, 1e-4, [7]);
    const unusual = (device: number): boolean[] =>
      Array.from({ length: 8 }, () => {
        const finding = fleet.window(new Map([[device, summaryOf(new Array<number>(12).fill(20))]]));
        return fleet.isUnusual(finding.get(device)!);
      });
    const stuck = unusual(8);
    expect(stuck[0]).toBe(false);
    expect(stuck.slice(5)).toEqual([true, true, true]);
    expect(unusual(7)).toEqual(new Array<boolean>(8).fill(false));
  });

  it('learns that the scatter of a wrong clock comes with steps of the level', () => {
    const fleet = new Fleet(1e-4);
    // Half of each window's readings are of the level before it.
    const level = (window: number): number => 20 + 3 * Math.sin(window * 1.3);
    const straddling = (window: number): DeviceSummary =>
      summaryOf(normal(random, 0, 0.2).map((noise, at) => noise + level(at < 6 ? window - 1 : window)));
    let late = 0;
    for (let window = 0; window < 60; window += 1) {
      const readings = new Map(DEVICES.map((device) => [device, summaryOf(normal(random, 20, 0.2))]));
      readings.set(3, straddling(window));
      const finding = fleet.window(readings).get(3)!;
      if (window >= 20 && fleet.isUnusual(finding)) late += 1;
    }
    expect(late).toBe(0);
  });

  it('is judged as often as wanted where there is nothing: one window in a hundred', () => {
    const wanted = 0.01;
    const fleet = calmFleet(random, 40, wanted);
    let alarms = 0;
    for (let window = 0; window < 100; window += 1) {
      const readings = new Map(
        DEVICES.map((device) => [
          device,
          summaryOf(normal(random, levelOf(device, 40 + window), stddevOf(device))),
        ]),
      );
      for (const finding of fleet.window(readings).values()) alarms += fleet.isUnusual(finding) ? 1 : 0;
    }
    const share = alarms / (100 * DEVICES.length);
    expect(share).toBeGreaterThan(0.7 * TEST_SHARES.scatter * wanted);
    expect(share).toBeLessThan(1.3 * TEST_SHARES.scatter * wanted);
  });

  it('stays finite whatever is measured', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.array(fc.double({ min: -1e150, max: 1e150, noNaN: true }), { minLength: 1, maxLength: 12 }),
          { minLength: 1, maxLength: 20 },
        ),
        (windows) => {
          const fleet = new Fleet(1e-4);
          for (const readings of windows) fleet.window(new Map([[0, summaryOf(readings)]]));
          expect(
            [...fleet.detector.pasts.sums.save([0])].filter((number) => !Number.isFinite(number)),
          ).toEqual([]);
          expect(Number.isFinite(fleet.detector.scatterLimit(1e-4))).toBe(true);
        },
      ),
    );
  });

  it('begins with the scatter that its history has', () => {
    const pasts = new DevicePasts(2);
    pasts.seed(1, 0.36);
    // In tolerances squared.
    expect(pasts.variance(1)).toBeCloseTo(0.09, 6);
    pasts.seed(2, NaN);
    expect(pasts.variance(2)).toBeNaN();
  });
});

describe('what a version says of a window', () => {
  const nothing: Finding = {
    scatter: NaN,
    stillness: 1,
    step: 0,
    scatterShare: 1,
    scatterKind: 'noise',
    followsAnomaly: false,
  };

  it('is a shift where the mean leaves the band, and nothing where there is no band', () => {
    const anomalies = new VersionAnomalies(1e-3);
    const limit = anomalies.bandLimit;
    expect(anomalies.judge(nothing, 2.1, 2, limit, 4)).toMatchObject({ predicted: 1, kind: 'shift' });
    expect(anomalies.judge(nothing, -1.9, 2, limit, 4)).toMatchObject({ predicted: 0, kind: null });
    expect(anomalies.judge(nothing, 1, NaN, limit, 4)).toEqual({ predicted: null, kind: null, score: null });
  });

  it('has the score of its false alarms at the edge of the band: 3 for one in a thousand', () => {
    const anomalies = new VersionAnomalies(1e-3);
    expect(anomalies.judge(nothing, 2, 2, anomalies.bandLimit, 4).score).toBeCloseTo(3, 1);
  });

  it('is no shift in the window after an anomaly, which the forecast was made of', () => {
    const anomalies = new VersionAnomalies(1e-3);
    const after = { ...nothing, followsAnomaly: true, scatter: 0.5, scatterShare: 0.3 };
    expect(anomalies.judge(after, 9, 2, anomalies.bandLimit, 4).predicted).toBe(0);
  });

  it('is of the kind that chance explains least', () => {
    const anomalies = new VersionAnomalies(1e-3);
    const both: Finding = { ...nothing, scatter: 9, scatterShare: 1e-12, scatterKind: 'spike' };
    expect(anomalies.judge(both, 2.1, 2, anomalies.bandLimit, 4)).toMatchObject({ kind: 'spike' });
  });

  it('moves with the errors that were made, but for labelled anomalies', () => {
    const [before, after, labelled] = [0, 1, 2].map(() => new VersionAnomalies(1e-2));
    const errors = (label: 0 | 1): Parameters<VersionAnomalies['learn']>[0] =>
      Array.from({ length: 3_000 }, (_, i) => ({
        error: i % 20 === 0 ? 12 : 0.5,
        band: 2,
        bandLimit: 3,
        label: i % 20 === 0 ? label : 0,
        followsAnomaly: false,
      }));
    for (let window = 0; window < 20; window += 1) {
      after!.learn(errors(0));
      labelled!.learn(errors(1));
    }
    expect(after!.bandLimit).toBeGreaterThan(10);
    expect(labelled!.bandLimit).toBeLessThan(before!.bandLimit);
  });
});
