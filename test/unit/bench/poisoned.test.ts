import { against, poison, poisoners } from '../../../bench/loop/poisoned';

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
