import { type CalendarSpecDescription } from '@temporalio/client';

/** When a schedule starts, by fields of the clock, as Temporal's server describes it. */
export type Calendar = Omit<CalendarSpecDescription, 'comment'>;
type Ranges = Calendar['hour'] | Calendar['month'] | Calendar['dayOfWeek'];

const MONTHS = [
  'JANUARY',
  'FEBRUARY',
  'MARCH',
  'APRIL',
  'MAY',
  'JUNE',
  'JULY',
  'AUGUST',
  'SEPTEMBER',
  'OCTOBER',
  'NOVEMBER',
  'DECEMBER',
] as const;
const DAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;

/** All numbers of the ranges; months count from 1, days of the week from 0 = Sunday. */
export function numbersOf(ranges: Ranges): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const { start, end, step } of ranges)
    for (let at = numberOf(start); at <= numberOf(end); at += Math.max(1, step)) numbers.add(at);
  return numbers;
}

function numberOf(named: Ranges[number]['start']): number {
  if (typeof named === 'number') return named;
  const month = MONTHS.findIndex((name) => name === named);
  return month < 0 ? DAYS.findIndex((name) => name === named) : month + 1;
}

/** A cron expression that means the same: Temporal's server keeps no text. With seconds or a year, in Temporal's form with seven fields. */
export function cronOf({ second, minute, hour, dayOfMonth, month, dayOfWeek, year }: Calendar): string {
  const five = [
    fieldOf(minute, 0, 59),
    fieldOf(hour, 0, 23),
    fieldOf(dayOfMonth, 1, 31),
    fieldOf(month, 1, 12),
    fieldOf(dayOfWeek, 0, 6),
  ].join(' ');
  const seconds = fieldOf(second, 0, 59);
  const years = year.length === 0 ? '*' : fieldOf(year, -Infinity, Infinity);
  return seconds === '0' && years === '*' ? five : `${seconds} ${five} ${years}`;
}

function fieldOf(ranges: Ranges, least: number, most: number): string {
  return ranges
    .map(({ start, end, step }) => {
      const [from, to] = [numberOf(start), numberOf(end)];
      const every = step > 1 ? `/${step}` : '';
      if (from === least && to === most) return `*${every}`;
      return from === to ? String(from) : `${from}-${to}${every}`;
    })
    .join(',');
}
