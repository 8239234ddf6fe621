import { type TargetWords } from '../../core/contracts/task';
import { printableLine } from './format';

/** Figures in the unit of the fleet's target, for people. A fleet may measure thousandths or hundreds of millions. */

/** The last digit that an error shows is worth a hundredth of the tolerance: the same fleet reads alike in grams and in tonnes. */
const DIGITS_BELOW_TOLERANCE = 2;
/** Longer numbers are written with a power of ten. */
const MAX_DECIMALS = 8;
const MAX_PLAIN = 1e15;
const MIN_PLAIN = 10 ** -MAX_DECIMALS;
/** Smaller shares of a tolerance are rounding errors of a sum. */
const NOTHING = 1e-9;
const WINDOW_DIGITS = 6;
const DOUBLE_DIGITS = 15;
/** The last digits of a double that a tick was computed to are rounding errors. */
const TICK_DIGITS = 12;

type Tolerance = Pick<TargetWords, 'tolerance'>;

/** `0.67`, `1,234,567`, `0.00031`: a mean error, without its unit. What is not zero never reads as zero. */
export function errorSize(value: number, { tolerance }: Tolerance): string {
  const size = Math.abs(value);
  const decimals = Math.max(0, DIGITS_BELOW_TOLERANCE - Math.floor(Math.log10(tolerance)));
  if (size <= NOTHING * tolerance) return (0).toFixed(decimals > MAX_DECIMALS ? 0 : decimals);
  if (decimals > MAX_DECIMALS || size >= MAX_PLAIN) return size.toExponential(DIGITS_BELOW_TOLERANCE);
  const text = size.toLocaleString('en', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return Number(text) === 0 ? size.toPrecision(1) : text;
}

/** As `errorSize`, with its sign: a bias. Zero has none. */
export function signedError(value: number, tolerance: Tolerance): string {
  const text = errorSize(value, tolerance);
  return Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`;
}

/** `−5`, `0.002`, `120,000,000.5`: a level or a tolerance with the digits that it has. */
export function level(value: number): string {
  const size = Math.abs(value);
  const plain = size === 0 || (size >= MIN_PLAIN && size < MAX_PLAIN);
  const text = plain
    ? size.toLocaleString('en', { maximumSignificantDigits: TICK_DIGITS })
    : Number(size.toPrecision(TICK_DIGITS)).toExponential();
  return value < 0 ? `−${text}` : text;
}

/** `21.4583`, `123456789.5`: a window's mean or deviation, to six digits and never coarser than a hundredth of the tolerance. */
export function windowFigure(value: number, { tolerance }: Tolerance): string {
  const before = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1;
  const digits = before + DIGITS_BELOW_TOLERANCE - Math.floor(Math.log10(tolerance));
  return String(Number(value.toPrecision(Math.min(DOUBLE_DIGITS, Math.max(WINDOW_DIGITS, digits)))));
}

/** As `level`, with a plus where it is positive: a tick of an axis of errors. */
export function signedLevel(value: number): string {
  return value > 0 ? `+${level(value)}` : level(value);
}

/** `0.67 °C`, `bias kW`: a figure or a heading with the unit behind it; a target may have none. */
export function inUnit(text: string, { unit }: Pick<TargetWords, 'unit'>): string {
  return unit === '' ? text : `${text} ${printableLine(unit)}`;
}
