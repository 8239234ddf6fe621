import { quantile } from './rhythm';

/** A number that devices send where they have no reading. */
export interface Sentinel {
  readonly value: number;
  readonly count: number;
  /** It is one of the numbers that usually mean this. Of another one only a person can know. */
  readonly isUsual: boolean;
}

/** A sentinel comes again and again, exactly alike. */
const MIN_COUNT = 2;
const MIN_COUNT_UNUSUAL = 4;
/** So many times the width of the middle nine tenths it lies off from them. */
const MIN_WIDTHS = 1;
const MIN_WIDTHS_UNUSUAL = 10;
const MOST = 20;

/** Numbers that come again and again far outside of the rest. NaN is no reading already. */
export function findSentinels(readings: readonly number[]): readonly Sentinel[] {
  const counts = new Map<number, number>();
  for (const reading of readings)
    if (!Number.isNaN(reading)) counts.set(reading, (counts.get(reading) ?? 0) + 1);
  const rest = readings.filter((reading) => !Number.isNaN(reading) && !isUsualSentinel(reading));
  const sorted = Float64Array.from(rest).sort();
  if (sorted.length === 0) return [];
  const low = quantile(sorted, 0.05);
  const high = quantile(sorted, 0.95);
  const width = high - low;
  // Of a sensor that rests at one value nothing else is far.
  if (width === 0) return [];
  return [...counts]
    .map(([value, count]) => ({
      value,
      count,
      isUsual: isUsualSentinel(value),
      off: Math.max(low - value, value - high),
    }))
    .filter(({ count, isUsual, off }) =>
      isUsual
        ? count >= MIN_COUNT && off > MIN_WIDTHS * width
        : count >= MIN_COUNT_UNUSUAL && off > MIN_WIDTHS_UNUSUAL * width,
    )
    .filter(({ value, count, off }) => isAlone(value, count, off, sorted))
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST)
    .map(({ value, count, isUsual }) => ({ value, count, isUsual }));
}

/** Whether hardly any other reading is half as far from the rest: a long tail has as many others beside it. */
function isAlone(value: number, count: number, off: number, sorted: Float64Array): boolean {
  const near = sorted.filter((reading) => reading !== value && Math.abs(reading - value) <= off / 2);
  return near.length <= count / 4;
}

/** Powers of two at which counters of sensors' registers end. */
const REGISTER_ENDS = [15, 16, 31, 32].flatMap((bits) => [2 ** bits, 2 ** bits - 1]);
/** Of thermometers: what a DS18B20 sends after power-on and when it is unplugged, absolute zero. */
const OF_THERMOMETERS = [85, -127, -273.15, -273.1, -273];

/** −999, 9999, −99.9, −999.25 (well logs), the ends of registers and their tenths, 85 and −127 of thermometers, 10³⁰. */
function isUsualSentinel(value: number): boolean {
  if (OF_THERMOMETERS.includes(value) || Math.abs(value) >= 1e30) return true;
  if (/^-?9{2,}(?:\.9+|\.25)?$/.test(String(value))) return true;
  return [1, 10, 100].some(
    (scale) =>
      REGISTER_ENDS.includes(Math.abs(Math.round(value * scale))) &&
      Number.isInteger(Math.round(value * scale * 1e6) / 1e6),
  );
}
