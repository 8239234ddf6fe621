import { numbersOf, type Calendar } from './calendars';

/** Clocks are changed on a quarter of an hour, everywhere. */
const STEP_MINUTES = 15;
const STEP_MS = STEP_MINUTES * 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** Every change that comes back each year, and one that a schedule meets first. */
const AHEAD_MS = 366 * DAY_MS;

/** Wall clock times of a day that a time zone leaves out, in minutes since midnight; `until` is not one of them. */
interface LeftOut {
  readonly day: { readonly year: number; readonly month: number; readonly dayOfMonth: number };
  readonly from: number;
  readonly until: number;
}

/** A start of a schedule that does not happen, because its time zone has no such time on that day. */
export interface MissedStart {
  /** Such as 2027-03-28. */
  readonly date: string;
  /** Such as 02:30. */
  readonly time: string;
}

/**
 * Starts by calendar that Temporal leaves out within the next year, because clocks are set forward then: one of each change and calendar. A
 * calendar that starts in every hour of a day loses nothing that anybody waits for.
 * @param timezone an IANA name.
 */
export function missedStarts(
  calendars: readonly Calendar[],
  timezone: string,
  nowMillis: number,
): readonly MissedStart[] {
  return timesLeftOut(timezone, nowMillis).flatMap((gap) =>
    calendars
      .filter((calendar) => numbersOf(calendar.hour).size < 24 && matchesDay(calendar, gap.day))
      .flatMap((calendar) => {
        const minute = firstWithin(calendar, gap);
        return minute === undefined ? [] : [{ date: dateText(gap.day), time: timeText(minute) }];
      }),
  );
}

function timesLeftOut(timezone: string, nowMillis: number): readonly LeftOut[] {
  const local = localClock(timezone);
  const found: LeftOut[] = [];
  for (let at = Math.floor(nowMillis / STEP_MS) * STEP_MS; at <= nowMillis + AHEAD_MS; at += DAY_MS)
    // Looking at each step of the day takes a hundred times as long as at its ends.
    if (local(at + DAY_MS).aheadMillis > local(at).aheadMillis) found.push(...leftOutWithin(local, at));
  return found;
}

function leftOutWithin(local: LocalClock, dayFrom: number): readonly LeftOut[] {
  const found: LeftOut[] = [];
  for (let at = dayFrom; at < dayFrom + DAY_MS; at += STEP_MS) {
    const from = local(at).minutes + STEP_MINUTES;
    const { day, minutes: until } = local(at + STEP_MS);
    // A whole day that is left out, as on islands that change sides of the date line, starts nothing that can be named here.
    if (until > from) found.push({ day, from, until });
  }
  return found;
}

/** What clocks show, and how far that is ahead of UTC. */
type LocalClock = (millis: number) => {
  readonly day: LeftOut['day'];
  readonly minutes: number;
  readonly aheadMillis: number;
};

function localClock(timeZone: string): LocalClock {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (millis) => {
    const parts = new Map(format.formatToParts(millis).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const day = { year: part('year'), month: part('month'), dayOfMonth: part('day') };
    const minutes = part('hour') * 60 + part('minute');
    const shown = Date.UTC(day.year, day.month - 1, day.dayOfMonth, 0, minutes);
    return { day, minutes, aheadMillis: shown - millis };
  };
}

function matchesDay({ year, month, dayOfMonth, dayOfWeek }: Calendar, day: LeftOut['day']): boolean {
  const weekday = new Date(Date.UTC(day.year, day.month - 1, day.dayOfMonth)).getUTCDay();
  return (
    (year.length === 0 || numbersOf(year).has(day.year)) &&
    numbersOf(month).has(day.month) &&
    numbersOf(dayOfMonth).has(day.dayOfMonth) &&
    numbersOf(dayOfWeek).has(weekday)
  );
}

function firstWithin({ hour, minute }: Calendar, { from, until }: LeftOut): number | undefined {
  const hours = numbersOf(hour);
  const minutes = numbersOf(minute);
  for (let at = from; at < until; at += 1)
    if (hours.has(Math.floor(at / 60)) && minutes.has(at % 60)) return at;
  return undefined;
}

function dateText({ year, month, dayOfMonth }: LeftOut['day']): string {
  return [year, twoDigits(month), twoDigits(dayOfMonth)].join('-');
}

function timeText(minutes: number): string {
  return `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
