import { fitLinear, forecastLinear } from '../../../core/backtest/linear';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { assertFilled, planRounds } from '../../../cli/backtest/plan';

describe('the linear forecast', () => {
  it('finds the weights that made the samples', () => {
    const count = 400;
    const x = Float32Array.from({ length: 2 * count }, (_, at) => Math.sin(at * 12.9898) * 1.5);
    const y = Float32Array.from(
      { length: count },
      (_, at) => 0.5 * (x[2 * at] ?? 0) - 2 * (x[2 * at + 1] ?? 0) + 0.25,
    );
    const samples = { count, x, y, device: new Int32Array(count), age: new Int32Array(count) };
    const model = fitLinear(samples);
    expect(model).not.toBeNull();
    expect(model && forecastLinear(model, Float32Array.of(1, 1))).toBeCloseTo(-1.25, 2);
  });

  it('is none without samples', () => {
    const none = new Float32Array(0);
    expect(
      fitLinear({ count: 0, x: none, y: none, device: new Int32Array(0), age: new Int32Array(0) }),
    ).toBeNull();
  });
});

describe('the plan of a backtest', () => {
  const request = { windows: 1_000, rounds: 4, judged: 6, seasonMicros: 86_400_000_000 } as const;

  it('spreads the rounds evenly, and leaves the first windows to train on', () => {
    expect(planRounds(DEFAULT_STREAM_SETTINGS, request)).toEqual({
      rounds: 4,
      firstAfter: 200,
      every: 200,
      judged: 6,
      mostJudged: 12,
      season: null,
    });
  });

  it('has as many rounds as fit when their number is not given', () => {
    expect(planRounds(DEFAULT_STREAM_SETTINGS, { ...request, windows: 60, rounds: 'auto' }).rounds).toBe(2);
  });

  it('refuses a recording in which no round fits', () => {
    expect(() => planRounds(DEFAULT_STREAM_SETTINGS, { ...request, windows: 35, rounds: 'auto' })).toThrow(
      'the recording spans 35 windows of 30 s, and one round can take place in 42 or more',
    );
  });
});

describe('a window of a recording', () => {
  it('is not shorter than the time from one reading to the next', () => {
    expect(() => {
      assertFilled(7e6, 3_600e6);
    }).toThrow('a window of 7 s is shorter than the 1 h from one reading of a device to its next');
  });

  it.each([
    ['as long', 3_600e6, undefined],
    ['longer', 7_200e6, undefined],
    ['filled by what a sensor holds', 7e6, 60e6],
  ])('may be %s', (_, window, hold) => {
    expect(() => {
      assertFilled(window, 3_600e6, hold);
    }).not.toThrow();
  });
});
