import { microsText } from '../../contracts/settings';
import { MICROS_PER_SECOND, type Micros } from '../../contracts/time';
import { roundLength } from '../../contracts/window-choice';

/** The shortest round length of at least `micros`, as text. */
export function roundDuration(micros: Micros): string {
  return microsText(roundLength(micros));
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
