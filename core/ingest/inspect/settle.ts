import { FedloopError } from '../../contracts/errors';
import { DEFAULT_STREAM_SETTINGS, durationMillis, microsText } from '../../contracts/settings';
import { MICROS_PER_MILLI, type Micros } from '../../contracts/time';
import { suggestedWindow } from '../../contracts/window-choice';
import { inWords, roundDuration } from './durations';
import { type Finding, type Hints } from './hints';
import { type Rhythm } from './rhythm';

/** A setting with what speaks for it, as one sentence. */
export interface Chosen<Value> {
  readonly value: Value;
  readonly why: string;
}

/** A window may be this share shorter than the spacing: clocks are not that exact. */
const SLACK = 0.1;

/**
 * Choose the window that fits how often devices send. A person has to say it where the sample does not show how often
 * that is, or shows that they send on change.
 * @throws FedloopError `InvalidInput` for a given window in which most devices have no reading.
 */
export function chooseWindow(rhythm: Rhythm, { window, hold }: Hints): Finding<Chosen<string>> {
  const { spacing, isIrregular } = rhythm;
  if (window !== undefined) {
    assertWindow(rhythm, durationMillis(window) * MICROS_PER_MILLI, hold !== undefined);
    return { found: { value: window, why: `As it was given; ${howOften(rhythm)}.` } };
  }
  if (spacing === undefined) {
    return {
      question: {
        asks: 'window',
        unclear: 'no device has two readings, so that it is unknown how often they send',
        choices: [],
      },
    };
  }
  if (isIrregular && hold === undefined) {
    const value = roundDuration(rhythm.longSpacing ?? spacing);
    return {
      question: {
        asks: 'hold',
        unclear: `devices seem to send when a value changes (${howOften(rhythm)}), and how long a reading then stays true is not to be seen`,
        choices: [{ value, why: 'nine of ten readings are followed by another within that' }],
      },
    };
  }
  const value = microsText(suggestedWindow({ betweenReadings: spacing, isHeld: hold !== undefined }));
  const fits =
    hold === undefined
      ? 'at least four readings of a device fit in'
      : 'a held reading fills the windows without one';
  return { found: { value, why: `${capital(howOften(rhythm))}: ${fits}.` } };
}

/**
 * Make sure that most windows of a device have a reading.
 * @throws FedloopError `InvalidInput`
 */
export function assertWindow(rhythm: Rhythm, windowMicros: Micros, isHeld: boolean): void {
  const { spacing } = rhythm;
  if (spacing === undefined || isHeld || windowMicros >= spacing * (1 - SLACK)) return;
  throw new FedloopError(
    'InvalidInput',
    `a window of ${inWords(windowMicros)} is shorter than the ${inWords(spacing)} from one reading of a device to its next: most windows would be empty`,
    {
      hint: `Use a window of ${microsText(suggestedWindow({ betweenReadings: spacing, isHeld: false }))} (four readings), or hold for sensors that send on change.`,
    },
  );
}

function howOften({ spacing, longSpacing, isIrregular }: Rhythm): string {
  if (spacing === undefined) return 'no device has two readings';
  const often = `a device sends every ${inWords(spacing)}`;
  return isIrregular
    ? `${often} in the median, one time in ten only after ${inWords(longSpacing ?? spacing)}`
    : often;
}

/** Choose how long a window waits for late events: twice what the sample shows, and never less than the default. */
export function chooseWatermark({ lateness, hasOrder }: Rhythm): Chosen<string> {
  const { watermarkMicros } = DEFAULT_STREAM_SETTINGS;
  const value = roundDuration(Math.max(2 * lateness, watermarkMicros));
  if (!hasOrder) {
    return {
      value,
      why: 'The sample does not show in which order readings arrive, and so not how late.',
    };
  }
  const seen =
    lateness === 0
      ? 'no reading comes late'
      : `of a thousand readings, 999 come at most ${inWords(lateness)} late`;
  return { value, why: `${capital(seen)} in the sample.` };
}

/** A share of readings below which equal instants are slips of a clock. */
const MIN_SAME_INSTANT = 0.001;

/** Choose what makes readings duplicates. A person has to say what several readings of a device at one instant are. */
export function chooseDuplicates(
  { sameInstant }: Rhythm,
  { duplicates }: Hints,
): Finding<Chosen<'time' | 'reading'> | undefined> {
  if (duplicates !== undefined) return { found: { value: duplicates, why: 'As it was given.' } };
  if (sameInstant <= MIN_SAME_INSTANT) return { found: undefined };
  return {
    question: {
      asks: 'duplicates',
      unclear: `${percent(sameInstant)} of the readings have device and instant in common with another one, and not the value`,
      choices: [
        { value: 'reading', why: 'all of them count: the clock is coarser than the readings' },
        { value: 'time', why: 'the first one counts: the others are the same reading again' },
      ],
    },
  };
}

/** A share for people: two digits. */
function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
