import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { assertFilled, planRounds } from '../../../cli/backtest/plan';

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
