import { type TimeUnit } from '../contracts/source';
import { MICROS_PER_MILLI, MICROS_PER_SECOND, type Micros } from '../contracts/time';
import { microsOfMillis, microsOfText } from '../contracts/timestamps';
import { isShortText } from './fields';

/** Microseconds as a power of ten of each unit. */
const DECIMALS: Record<Exclude<TimeUnit, 'iso'>, number> = { s: 6, ms: 3, us: 0, ns: -3 };
const NUMBER = /^([+-]?)([0-9]+)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?$/;

/**
 * The instant that a value of a message tells in a unit; NaN where it tells none, or one whose microseconds a double does not hold.
 *
 * `iso` is the grammar of events. The others take numbers and their texts. They are worked out from decimal digits, so that nothing is
 * lost: a fraction of seconds, milliseconds or microseconds goes to the nearest microsecond, and nanoseconds beyond it are cut off, as a
 * timestamp's digits are.
 */
export function microsOfValue(value: unknown, unit: TimeUnit): Micros {
  if (unit === 'iso') return microsOfIsoValue(value);
  if (typeof value === 'number') {
    return Number.isInteger(value) ? microsOfInteger(value, unit) : microsOfDigits(String(value), unit);
  }
  return isShortText(value) ? microsOfDigits(value.trim(), unit) : NaN;
}

function microsOfIsoValue(value: unknown): Micros {
  if (typeof value === 'number') return microsOfMillis(value);
  return isShortText(value) ? microsOfText(value) : NaN;
}

function microsOfInteger(value: number, unit: Exclude<TimeUnit, 'iso'>): Micros {
  switch (unit) {
    case 's':
      return exact(value * MICROS_PER_SECOND);
    case 'ms':
      return exact(value * MICROS_PER_MILLI);
    case 'us':
      return exact(value);
    case 'ns':
      // A larger double has lost digits. A message's text keeps them (see `parseMessage`).
      return Number.isSafeInteger(value) ? Math.floor(value / 1_000) : microsOfDigits(String(value), unit);
  }
}

/** The instant that a decimal number spells. */
function microsOfDigits(text: string, unit: Exclude<TimeUnit, 'iso'>): Micros {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (whole === '') return NaN;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent) + DECIMALS[unit];
  const kept = digits.slice(0, Math.max(0, point)).padEnd(point, '0');
  const rest = point < 0 ? digits.padStart(digits.length - point, '0') : digits.slice(point);
  const size = Number(kept === '' ? '0' : kept);
  const isNegative = sign === '-';
  if (unit === 'ns') return exact(isNegative ? -size - (/[1-9]/.test(rest) ? 1 : 0) : size);
  // Half a microsecond goes up, as `Math.round` has it.
  const isMore = isNegative ? /^(?:[6-9]|5.*[1-9])/.test(rest) : /^[5-9]/.test(rest);
  return exact((isNegative ? -1 : 1) * (size + (isMore ? 1 : 0)));
}

function exact(micros: number): Micros {
  return Number.isSafeInteger(micros) ? micros + 0 : NaN;
}
