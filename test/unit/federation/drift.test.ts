import { Adwin } from '../../../core/federation/drift/adwin';
import { type Detector } from '../../../core/federation/drift/detector';
import { PageHinkley } from '../../../core/federation/drift/page-hinkley';
import { DriftWatch } from '../../../core/federation/drift/watch';
import { seededRandom } from '../../../core/platform/random';

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

  it('are watched together: which of them a value set off', () => {
    const watch = new DriftWatch();
    const found = [...everyFifth, ...everySecond].flatMap((value, at) =>
      watch.update(value).map(({ detector, change }) => `${detector} ${at} ${change}`),
    );
    expect(found).toEqual(['adwin 1087 worse', 'page-hinkley 1184 worse']);
  });

  it('distinguish a change for the better from one for the worse', () => {
    const watch = new DriftWatch();
    const found = [...everySecond, ...everyFifth].flatMap((value) => watch.update(value));
    expect(found).toEqual([
      { detector: 'adwin', change: 'better' },
      { detector: 'page-hinkley', change: 'better' },
    ]);
  });

  it('follow one value a cluster and window: the share of errors beyond persistence’s', () => {
    const cluster = (window: number, wrong: number) => ({
      cluster: 's',
      windowStart: window,
      n: 10,
      candidateCorrect: 10 - wrong,
      championCorrect: 10,
    });
    const values = [...everyFifth, ...everySecond].map((value, at) => cluster(at, 10 * value));
    expect(new DriftWatch().follow(values)).toEqual([
      { detector: 'adwin', window: 1087, change: 'worse' },
      { detector: 'page-hinkley', window: 1184, change: 'worse' },
    ]);
    // Followed in parts, as windows come, it finds the same.
    const watch = new DriftWatch();
    expect([...watch.follow(values.slice(0, 900)), ...watch.follow(values.slice(900))]).toHaveLength(2);
  });
});
