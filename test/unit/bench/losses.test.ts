import { lossesIn } from '../../../bench/loop/losses';
import { emptyScore, type Played } from '../../../bench/loop/score';

const WINDOWS = 4;
const DEVICES = 20;
const span = { rounds: 2, windows: 2, lastRounds: 1 };
/** Devices at even places count. */
const even = () => (place: number) => place % 2 === 0;

/** Right in the first `right` windows of each device that counts, and wrong always at the others. @param unscored windows with nothing to score */
function played(right: number, unscored: readonly number[] = []): Played {
  const outcome = (at: number): number => {
    if (unscored.includes(at % WINDOWS)) return -1;
    return even()(Math.floor(at / WINDOWS)) && at % WINDOWS < right ? 1 : 0;
  };
  return {
    ...emptyScore(WINDOWS, DEVICES),
    outcomes: Int8Array.from({ length: WINDOWS * DEVICES }, (_, at) => outcome(at)),
    served: '',
  };
}
const game = (scenario: 'stationary' | 'poisoned', one: Played) => ({
  game: { scenario, clock: 'independent' as const, seed: 1 },
  played: new Map([['closed-loop', one]]),
});

describe('what a scenario costs', () => {
  it('is counted on the devices that count, over the last rounds', () => {
    const games = [game('stationary', played(4)), game('poisoned', played(3))];
    expect(lossesIn('poisoned', games, even, span)).toMatchObject([
      { clock: 'independent', contender: 'closed-loop', lost: { mean: 50, seeds: 1 } },
    ]);
  });

  it('is counted where both had something to score', () => {
    const games = [game('stationary', played(4)), game('poisoned', played(3, [2]))];
    expect(lossesIn('poisoned', games, even, span)).toMatchObject([{ lost: { mean: 100 } }]);
  });

  it('is not known where the same fleet was not played without it', () => {
    expect(lossesIn('poisoned', [game('poisoned', played(3))], even, span)).toEqual([]);
  });
});
