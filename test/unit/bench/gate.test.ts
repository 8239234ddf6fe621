import { summaryOf } from '../../../bench/gate/lines';
import { movedTo, seriesOf, total } from '../../../bench/gate/series';
import { WATCHED_WINDOWS, type RecordedFleet } from '../../../bench/gate/record';
import { seededRandom } from '../../../core/platform/random';

const DEVICES = 6;
const random = seededRandom(7);
const errors = (spread: number): Float32Array =>
  Float32Array.from({ length: DEVICES * WATCHED_WINDOWS }, () => spread * random.normal());
const pair = { candidate: errors(1), champion: errors(1.2) };
const fleet: RecordedFleet = {
  clock: 'shared',
  clusters: ['a', 'a', 'b', 'b', 'c', 'c'],
  pairs: [pair],
  persistence: errors(2),
};
const series = seriesOf(fleet, Int32Array.of(0, 1, 2, 3, 4, 5), pair);

describe('the windows of a simulated round', () => {
  it('have the worth that was asked for over all of them, in accuracy and in score', () => {
    const moved = movedTo(series, -0.03, 0, WATCHED_WINDOWS);
    const n = total(moved, (sum) => sum.n);
    expect(n).toBe(DEVICES * WATCHED_WINDOWS);
    expect(total(moved, (sum) => sum.candidateCorrect - sum.championCorrect) / n).toBeCloseTo(-0.03, 10);
    expect(total(moved, (sum) => sum.candidateScore - sum.championScore) / n).toBeCloseTo(-0.03, 10);
  });

  it('are the recorded ones where nothing is moved', () => {
    const [first] = movedTo({ ...series, trueChange: 0, trueScoreChange: 0 }, 0, 0, 1);
    expect(first).toEqual(series.windows[0]?.[0]);
  });

  it('pass over what one of the versions has no error of', () => {
    const candidate = pair.candidate.slice();
    candidate[0] = NaN;
    const { windows } = seriesOf(fleet, Int32Array.of(0, 1), { ...pair, candidate });
    expect(windows[0]?.map(({ n }) => n)).toEqual([1]);
  });
});

describe('the summary of bench:gate', () => {
  it('is of the clock and size where each figure is worst', () => {
    const line = (clock: 'shared' | 'independent', promoted: number, covering: number) => ({
      clock,
      devices: 300,
      decisions: [-3, -1, 3].map((points) => ({
        points,
        rounds: 100,
        promoted,
        rejected: 0,
        windowsToPromotion: null,
      })),
      coverage: [{ windows: 6, intervals: 100, covering }],
      drift: { devices: 300, windows: 1_000, falseAlarms: promoted, worsenings: 50, found: 50 - promoted },
    });
    expect(summaryOf([line('shared', 4, 93), line('independent', 2, 97)])).toEqual({
      promotedOneWorse: 0.04,
      promotedThreeWorse: 0.04,
      promotedThreeBetterWithin12: 0.02,
      coverageIndependent: 0.97,
      coverageShared: 0.93,
      falseAlarmsPer500: 2,
      driftFoundIndependent: 0.96,
      driftFoundShared: 0.92,
    });
  });
});
