import { Adwin } from '../../../core/federation/drift/adwin';
import { type Detector } from '../../../core/federation/drift/detector';
import { PageHinkley } from '../../../core/federation/drift/page-hinkley';
import { DriftWatch } from '../../../core/federation/drift/watch';
import { type PairedCluster } from '../../../core/federation/promotion/cluster-interval';
import { type Random, seededRandom } from '../../../core/platform/random';

const everyFifth = Array.from({ length: 1000 }, (_, at) => (at % 5 === 0 ? 1 : 0));
const everySecond = Array.from({ length: 1000 }, (_, at) => (at % 2 === 0 ? 1 : 0));

/** Places of the values that raise an alarm; a new detector goes on after each. */
function alarms(Made: new () => Detector, values: readonly number[]): number[] {
  let detector = new Made();
  return values.flatMap((value, at) => {
    if (detector.update(value) === null) return [];
    detector = new Made();
    return [at];
  });
}

describe('drift detectors', () => {
  it('find the change of River’s sequence where River 0.26 does', () => {
    expect(alarms(Adwin, [...everyFifth, ...everySecond])).toEqual([1087]);
    expect(alarms(PageHinkley, [...everyFifth, ...everySecond])).toEqual([1184]);
  });

  it('stay silent when nothing changes', () => {
    expect(alarms(Adwin, [...everyFifth, ...everyFifth])).toEqual([]);
    expect(alarms(PageHinkley, [...everyFifth, ...everyFifth])).toEqual([]);
  });

  it('find changes in both directions, more than once', () => {
    const random = seededRandom(3, 'drift');
    const around = (mean: number): number[] =>
      Array.from({ length: 600 }, () => mean + 0.3 * random.normal());
    const values = [...around(0), ...around(1), ...around(-0.5)];
    const found = alarms(Adwin, values);
    expect(found.some((at) => at >= 600 && at < 700)).toBe(true);
    expect(found.some((at) => at >= 1200 && at < 1300)).toBe(true);
  });
});

/** A fleet of 100 devices a window: its champion is right in `accuracy` of them, on average, and persistence as often as the weather lets it. */
function fleet(random: Random, windows: number, accuracyAt: (window: number) => number): PairedCluster[] {
  return Array.from({ length: windows }, (_, window) => {
    const weather = 0.1 * random.normal();
    const championShare = accuracyAt(window) + 0.2 * weather + 0.02 * random.normal();
    return {
      cluster: 's',
      windowStart: window,
      n: 100,
      candidateCorrect: 100 * championShare,
      championCorrect: 100 * (0.6 + weather),
    };
  });
}

const changesOf = (alarms: readonly { readonly change: string }[]) =>
  new Set(alarms.map(({ change }) => change));

describe('the watch over a champion', () => {
  it('finds a worsening of 5 points within a dozen windows, and tells it from a gain', () => {
    const random = seededRandom(5, 'watch');
    for (const change of [-0.05, 0.05]) {
      const alarms = new DriftWatch().follow(fleet(random, 240, (at) => (at < 120 ? 0.8 : 0.8 + change)));
      expect(changesOf(alarms)).toEqual(new Set([change < 0 ? 'worse' : 'better']));
      expect(alarms[0]!.window).toBeGreaterThanOrEqual(120);
      expect(alarms[0]!.window).toBeLessThan(132);
    }
  });

  it('alarms no more often in a fleet of many clusters than in one that is a single one', () => {
    const random = seededRandom(6, 'watch');
    const whole = fleet(random, 400, () => 0.8);
    const parts = whole.flatMap((sum) =>
      Array.from({ length: 50 }, (_, part) => ({
        ...sum,
        cluster: `s${part}`,
        n: sum.n / 50,
        candidateCorrect: sum.candidateCorrect / 50,
        championCorrect: sum.championCorrect / 50,
      })),
    );
    expect(new DriftWatch().follow(parts)).toEqual(new DriftWatch().follow(whole));
  });

  it('raises few false alarms in 10,000 independent windows', () => {
    const random = seededRandom(7, 'watch');
    const alarms = new DriftWatch().follow(fleet(random, 10_000, () => 0.8));
    expect(alarms.filter(({ change }) => change === 'worse').length).toBeLessThan(8);
  });

  it('does not take a storm, in which persistence fails as well, for a worse champion', () => {
    const random = seededRandom(8, 'watch');
    const storm = (at: number) => at >= 150 && at < 180;
    const windows = fleet(random, 240, () => 0.8).map((sum, at) =>
      storm(at)
        ? { ...sum, candidateCorrect: sum.candidateCorrect - 6, championCorrect: sum.championCorrect - 30 }
        : sum,
    );
    expect(changesOf(new DriftWatch().follow(windows))).not.toContain('worse');
  });

  it('knows nothing of the first day, and nothing of champions that are always right', () => {
    const random = seededRandom(9, 'watch');
    expect(new DriftWatch().follow(fleet(random, 24, (at) => (at < 12 ? 0.9 : 0.1)))).toEqual([]);
    const perfect = fleet(random, 100, () => 1).map((sum) => ({ ...sum, candidateCorrect: sum.n }));
    expect(new DriftWatch().follow(perfect)).toEqual([]);
  });

  it('finds the same when it follows in parts, as windows come', () => {
    const random = seededRandom(10, 'watch');
    const windows = fleet(random, 300, (at) => (at < 150 ? 0.8 : 0.7));
    const whole = new DriftWatch().follow(windows);
    const watch = new DriftWatch();
    expect([...watch.follow(windows.slice(0, 155)), ...watch.follow(windows.slice(155))]).toEqual(whole);
    expect(whole.length).toBeGreaterThan(0);
  });
});
