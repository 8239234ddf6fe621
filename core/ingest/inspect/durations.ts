import { durationText } from '../../contracts/settings';
import { MICROS_PER_SECOND, type Micros } from '../../contracts/time';

/** Lengths that people choose; windows of them begin at full hours and days. */
const ROUND_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
  604_800,
];

const MILLIS_PER_SECOND = 1_000;

/** The shortest round length of at least `micros`, as text. */
export function roundDuration(micros: Micros): string {
  const seconds = micros / MICROS_PER_SECOND;
  const days = Math.ceil(seconds / 86_400) * 86_400;
  return durationText((ROUND_SECONDS.find((length) => length >= seconds) ?? days) * MILLIS_PER_SECOND);
}

/** A time span in words, to two digits: `9.5 s`, `5 min`. */
export function inWords(micros: Micros): string {
  const seconds = micros / MICROS_PER_SECOND;
  const [unit, size] = WORDS.find(([, length]) => seconds >= length * 1.5) ?? ['ms', 0.001];
  return `${Number((seconds / size).toPrecision(2))} ${unit}`;
}

const WORDS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;
