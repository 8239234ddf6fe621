import { against, poison, poisoners, poisonLosses } from '../../../bench/loop/poisoned';
import { emptyScore, type Played } from '../../../bench/loop/score';

const truth = Float64Array.from([20, 21, 22, 21, 20]);

it('a poisoned reading jumps against the true change, behind one that is true', () => {
  expect([...against(truth, 0, 0.5)]).toEqual([20, 19.5, 22, 22.5, 20]);
  expect([...against(truth, 1, 0.5)]).toEqual([20, 21, 20.5, 21, 21.5]);
});

it('gaps stay gaps, and what comes behind one is true', () => {
  expect([...against(Float64Array.from([20, NaN, 22, 23]), 0, 1)]).toEqual([20, NaN, 22, 21]);
  expect([...against(Float64Array.from([20, 21, NaN, 23]), 0, 1)]).toEqual([20, 19, NaN, 23]);
});

it('one device in twenty poisons, the same ones whenever the seed is', () => {
  const places = poisoners(7, 200);
  expect(places.size).toBe(10);
  expect([...poisoners(7, 200)]).toEqual([...places]);
  const { means } = poison(7, 200, 1);
  const lying = Array.from({ length: 200 }, (_, place) => place).filter(
    (place) => means(place, truth, 0) !== truth,
  );
  expect(new Set(lying)).toEqual(places);
});

describe('what poison costs', () => {
  const played = (right: number): Played => ({
    ...emptyScore(4, 20),
    // Devices that poison are always wrong, and do not count.
    outcomes: Int8Array.from({ length: 80 }, (_, at) =>
      poisoners(1, 20).has(Math.floor(at / 4)) || at % 4 >= right ? 0 : 1,
    ),
    served: '',
  });
  const game = (scenario: 'stationary' | 'poisoned', right: number) => ({
    game: { scenario, clock: 'independent' as const, seed: 1 },
    played: new Map([['closed-loop', played(right)]]),
  });
  const span = { rounds: 2, windows: 2, lastRounds: 1 };

  it('is counted on honest devices, over the last rounds', () => {
    const losses = poisonLosses([game('stationary', 4), game('poisoned', 3)], 20, span);
    expect(losses).toMatchObject([
      { clock: 'independent', contender: 'closed-loop', lost: { mean: 50, seeds: 1 } },
    ]);
  });

  it('is not known where the same fleet was not played without it', () => {
    expect(poisonLosses([game('poisoned', 3)], 20, span)).toEqual([]);
  });
});
