import { DEFAULT_STREAM_SETTINGS, EVERY_TIME, loggedSettingsSchema } from '../../../core/contracts/settings';
import { taskWith } from '../../support/task';

describe('settings that a deployment has logged', () => {
  it('are what was logged', () => {
    const logged: unknown = JSON.parse(JSON.stringify(DEFAULT_STREAM_SETTINGS));
    expect(loggedSettingsSchema.parse(logged)).toEqual(DEFAULT_STREAM_SETTINGS);
  });

  it('without a quorum of clocks let each event move the time by itself, as they did', () => {
    const { clockQuorum, ...logged } = DEFAULT_STREAM_SETTINGS;
    expect(clockQuorum).toBeGreaterThan(1);
    expect(loggedSettingsSchema.parse(logged)).toMatchObject({ clockQuorum: 1 });
  });

  it('from before the task was one are those of the default task with their window and tolerance', () => {
    const former = {
      windowMicros: 10_000_000,
      watermarkMicros: 1,
      futureMicros: 2,
      toleranceCelsius: 0.5,
      idleMillis: 3,
    };
    expect(loggedSettingsSchema.parse(former)).toEqual({
      ...DEFAULT_STREAM_SETTINGS,
      task: taskWith({ windowMicros: 10_000_000, tolerance: 0.5 }),
      watermarkMicros: 1,
      futureMicros: 2,
      idleMillis: 3,
      plausible: EVERY_TIME,
      clockQuorum: 1,
    });
  });

  it('from before event times had to be plausible take every time', () => {
    const { plausible, ...former } = DEFAULT_STREAM_SETTINGS;
    expect(plausible).not.toEqual(EVERY_TIME);
    expect(loggedSettingsSchema.parse(JSON.parse(JSON.stringify(former)))).toMatchObject({
      plausible: EVERY_TIME,
    });
  });
});
