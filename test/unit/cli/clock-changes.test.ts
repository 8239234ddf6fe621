import { cronOf, type Calendar } from '../../../cli/temporal/calendars';
import { missedStarts } from '../../../cli/temporal/clock-changes';

const NOW = Date.UTC(2026, 10, 27);
const range = <Value>(start: Value, end = start, step = 1) => ({ start, end, step });

/** As Temporal's server describes "MINUTE HOUR * * *". */
const daily = (hour: Calendar['hour'], minute: Calendar['minute']): Calendar => ({
  second: [range(0)],
  hour,
  minute,
  dayOfMonth: [range(1, 31)],
  month: [range('JANUARY', 'DECEMBER')],
  year: [],
  dayOfWeek: [range('SUNDAY', 'SATURDAY')],
});

describe('starts that clocks leave out', () => {
  // The European Union changes its clocks at 01:00 UTC on the last Sunday of March; the United States at 2:00 on the second.
  it.each([
    ['Europe/Zurich', '2027-03-28', '02:30'],
    ['America/New_York', '2027-03-14', '02:30'],
  ])('in %s are those of the day on which they are set forward', (timezone, date, time) => {
    const calendars = [daily([range(2)], [range(30)])];
    expect(missedStarts(calendars, timezone, NOW)).toEqual([{ date, time }]);
  });

  it('are none at other hours, in zones whose clocks stay, and of what starts in every hour', () => {
    expect(missedStarts([daily([range(3)], [range(0)])], 'Europe/Zurich', NOW)).toEqual([]);
    expect(missedStarts([daily([range(2)], [range(30)])], 'Asia/Tokyo', NOW)).toEqual([]);
    expect(missedStarts([daily([range(0, 23)], [range(0, 59, 10)])], 'Europe/Zurich', NOW)).toEqual([]);
  });

  it('are half an hour’s where clocks are set by so much', () => {
    const calendars = [daily([range(2)], [range(0, 59, 15)])];
    expect(missedStarts(calendars, 'Australia/Lord_Howe', NOW)).toEqual([
      { date: '2027-10-03', time: '02:00' },
    ]);
  });

  it('count on days alone on which the schedule starts', () => {
    const at = daily([range(2)], [range(30)]);
    const mondays = { ...at, dayOfWeek: [range<'MONDAY'>('MONDAY')] };
    const april = { ...at, month: [range<'APRIL'>('APRIL')] };
    const last = { ...at, year: [range(2026)] };
    expect(missedStarts([mondays, april, last], 'Europe/Zurich', NOW)).toEqual([]);
    const sundays = { ...at, dayOfWeek: [range<'SUNDAY'>('SUNDAY')], dayOfMonth: [range(28)] };
    expect(missedStarts([sundays], 'Europe/Zurich', NOW)).toHaveLength(1);
  });
});

describe('a calendar of Temporal’s', () => {
  it('is written as the cron expression that it came from', () => {
    const every = daily([range(9, 17)], [range(0, 59, 10)]);
    expect(cronOf(every)).toBe('*/10 9-17 * * *');
    const workdays = {
      ...daily([range(3), range(15)], [range(0)]),
      dayOfWeek: [range<'MONDAY' | 'FRIDAY'>('MONDAY', 'FRIDAY')],
    };
    expect(cronOf(workdays)).toBe('0 3,15 * * 1-5');
    const march = {
      ...daily([range(2)], [range(30)]),
      month: [range<'MARCH'>('MARCH')],
      dayOfMonth: [range(1, 31, 2)],
    };
    expect(cronOf(march)).toBe('30 2 */2 3 *');
  });

  it('with seconds or years is written with all seven fields', () => {
    const at = daily([range(2)], [range(30)]);
    expect(cronOf({ ...at, second: [range(15)] })).toBe('15 30 2 * * * *');
    expect(cronOf({ ...at, year: [range(2030)] })).toBe('0 30 2 * * * 2030');
  });
});
