import { isPlausible } from '../../contracts/events';
import { TIME_UNITS, type TimeUnit } from '../../contracts/source';
import { DEFAULT_STREAM_SETTINGS } from '../../contracts/settings';
import { microsOfText } from '../../contracts/timestamps';
import { microsOfValue } from '../instants';
import { type Finding, type Hints } from './hints';
import {
  type Column,
  columnAt,
  distinctValues,
  exampleOf,
  type Inventory,
  type Scalar,
  shareOf,
} from './inventory';
import { isTimeName, namesOf } from './names';

/** Where a message tells its time, and how. */
export interface TimeField {
  readonly path: string;
  readonly unit: TimeUnit;
  /** What speaks for it, as one sentence. */
  readonly why: string;
}

/** Fewer values of one unit, and a field tells no time: some devices may have a clock that was never set. */
const MIN_SHARE = 0.8;
/** The event's own field for it. */
const CANONICAL = '/timestamp';

/**
 * Find the field with the event time. Its unit follows from its size: between 2000 and 2100, seconds, milliseconds, microseconds and
 * nanoseconds since 1970 have no number in common.
 */
export function findTime(inventory: Inventory, hints: Hints): Finding<TimeField> {
  if (hints.timestamp !== undefined) return unitOf(inventory, hints.timestamp, hints.timeUnit);
  const told = inventory.columns
    .map((column) => ({ column, unit: hints.timeUnit ?? plausibleUnit(column) }))
    .filter((one): one is Candidate => one.unit !== undefined && isTimeIn(one.column, one.unit));
  const candidates = distinctInstants(mostLikely(told));
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) {
    return { found: { path: only.column.path, unit: only.unit, why: whyOf(only) } };
  }
  if (only === undefined) return { question: nothingTellsTime(inventory, hints.timeUnit) };
  return {
    question: {
      asks: 'timestamp',
      unclear: `${candidates.length} fields can be the time of a reading: ${candidates.map(({ column }) => column.path).join(', ')}`,
      choices: candidates.map((one) => ({ value: one.column.path, why: whyOf(one) })),
    },
  };
}

/** Paths of all fields that tell times, whichever: none of them is a sensor. */
export function timePaths({ columns }: Inventory): ReadonlySet<string> {
  const tell = columns.filter((column) => {
    const unit = plausibleUnit(column);
    return unit !== undefined && (unit === 'iso' || isTimeName(column.path) || isMostlyRising(column, unit));
  });
  return new Set(tell.map(({ path }) => path));
}

interface Candidate {
  readonly column: Column;
  readonly unit: TimeUnit;
}

function unitOf(inventory: Inventory, path: string, unit: TimeUnit | undefined): Finding<TimeField> {
  if (unit !== undefined) return { found: { path, unit, why: 'As it was given.' } };
  const column = columnAt(inventory, path);
  const plausible = column === undefined ? undefined : plausibleUnit(column);
  if (column === undefined || plausible === undefined) {
    return {
      question: {
        asks: 'timeUnit',
        unclear: `the values of ${path}${column === undefined ? '' : `, such as ${exampleOf(column)},`} tell no time between 2000 and 2100 in one unit`,
        choices: TIME_UNITS.map((value) => ({ value, why: unitName(value) })),
      },
    };
  }
  return { found: { path, unit: plausible, why: whyOf({ column, unit: plausible }) } };
}

/** The unit in which nearly all values are times of this century. */
function plausibleUnit(column: Column): TimeUnit | undefined {
  return TIME_UNITS.find((unit) => isTimeIn(column, unit));
}

function isTimeIn(column: Column, unit: TimeUnit): boolean {
  return shareOf(column, (value) => isTime(value, unit)) >= MIN_SHARE;
}

function isTime(value: Scalar, unit: TimeUnit): boolean {
  if (unit === 'iso') return typeof value === 'string' && isWithin(microsOfText(value));
  return typeof value !== 'boolean' && isWithin(microsOfValue(value, unit));
}

function isWithin(micros: number): boolean {
  return isPlausible(DEFAULT_STREAM_SETTINGS.plausible, micros);
}

/** Canonical before named like a time before the rest; of the rest, numbers only where they hardly ever go back. */
function mostLikely(candidates: readonly Candidate[]): readonly Candidate[] {
  const canonical = candidates.filter(({ column }) => column.path === CANONICAL);
  if (canonical.length > 0) return canonical;
  const moving = candidates.filter(({ column }) => distinctValues(column).size > 1);
  const likely = moving.length > 0 ? moving : candidates;
  const named = likely.filter(({ column }) => isTimeName(column.path));
  if (named.length > 0) return named;
  return likely.filter(({ column, unit }) => unit === 'iso' || isMostlyRising(column, unit));
}

function isMostlyRising(column: Column, unit: TimeUnit): boolean {
  let last = -Infinity;
  let falls = 0;
  for (const value of column.values) {
    const micros = value === undefined ? NaN : microsOfValue(value, unit);
    if (micros < last) falls += 1;
    if (!Number.isNaN(micros)) last = micros;
  }
  return falls <= (1 - MIN_SHARE) * column.present;
}

/** Of fields that always tell the same instant, the first is as good as the others. */
function distinctInstants(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.filter(
    (one, index) => !candidates.slice(0, index).some((before) => tellTheSame(before, one)),
  );
}

function tellTheSame(a: Candidate, b: Candidate): boolean {
  if (a.column.present !== b.column.present) return false;
  return a.column.values.every((value, place) => {
    const other = b.column.values[place];
    if (value === undefined || other === undefined) return value === other;
    const difference = Math.abs(microsOfValue(value, a.unit) - microsOfValue(other, b.unit));
    return difference < 1_000_000;
  });
}

function nothingTellsTime(
  inventory: Inventory,
  unit: TimeUnit | undefined,
): Extract<Finding<never>, { question: unknown }>['question'] {
  const named = inventory.columns.find(({ path }) => isTimeName(path) && namesOf(path).at(-1) !== 't');
  const example =
    named === undefined
      ? ''
      : `; ${named.path} has values such as ${exampleOf(named)}${unit === undefined ? ', which is neither ISO 8601 nor a number of s, ms, us or ns since 1970' : ''}`;
  const how = unit === undefined ? '' : ` in ${unitName(unit)}, as --time-unit says`;
  return {
    asks: 'timestamp',
    unclear: `no field tells a time between 2000 and 2100${how}${example}`,
    choices: [],
  };
}

function whyOf({ column, unit }: Candidate): string {
  const how = unit === 'iso' ? 'ISO 8601' : `${unitName(unit)} since 1970, by their size`;
  return `Times from ${exampleOf(column)} on: ${how}.`;
}

function unitName(unit: TimeUnit): string {
  switch (unit) {
    case 's':
      return 'seconds';
    case 'ms':
      return 'milliseconds';
    case 'us':
      return 'microseconds';
    case 'ns':
      return 'nanoseconds';
    case 'iso':
      return 'ISO 8601';
  }
}
