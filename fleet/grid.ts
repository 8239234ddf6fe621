import { FedloopError } from '../core/contracts/errors';
import { LAG_MEMORY_WINDOWS, MIN_PRESENT, MIN_SLOTS, SLOT_SLACK } from './constants';
import { stepsOf, type RecordedSeries, type Recording } from './recording';
import { type Random } from '../core/platform/random';

/** How a run lies on the recording, in recorded steps. */
export interface RunLength {
  /** Steps before the first live window: the past, and what the thermal lag remembers of the time before it. */
  readonly past: number;
  /** Steps of the live windows. */
  readonly live: number;
}

/** A span of recorded time for one whole run. All series share the slots, because their weather is correlated. */
export interface Slot {
  readonly number: number;
  /** Recorded step that the first live window replays. */
  readonly liveStart: number;
}

export function pastSteps(historyWindows: number): number {
  return historyWindows + LAG_MEMORY_WINDOWS;
}

/**
 * Cut the recording into slots, each wider than the run. Every slot starts its run at an hour of its own (within the
 * slack), the same for all series and devices in it: so no device's live hours are in another one's past, and the fleet as a
 * whole sees every hour of the day at once.
 *
 * @throws FedloopError `InvalidData` when fewer than `MIN_SLOTS` fit.
 */
export function cutSlots(recording: Recording, run: RunLength, random: Random): readonly Slot[] {
  const length = run.past + run.live;
  const steps = stepsOf(recording);
  const roomy = Math.ceil(length * (1 + SLOT_SLACK));
  // Short recordings give up the slack first: fewer hours of the day are better than no slots.
  const width = Math.floor(steps / roomy) >= MIN_SLOTS ? roomy : length;
  const count = Math.floor(steps / width);
  if (count < MIN_SLOTS) {
    throw tooShort(
      recording,
      `a run of ${length} steps at independent hours takes ${MIN_SLOTS * length} of them`,
      [
        `Use --clock shared, which takes ${length}`,
        'ask for fewer windows or rounds',
        'or give longer series.',
      ],
    );
  }
  return Array.from({ length: count }, (_, number) => ({
    number,
    liveStart: number * width + random.below(width - length + 1) + run.past,
  }));
}

/**
 * The one hour that a fleet on a shared clock lives at: the start, among a hundred drawn, that most series cover.
 * @throws FedloopError `InvalidData` when the recording is shorter than one run.
 */
export function sharedSlot(recording: Recording, run: RunLength, random: Random): Slot {
  const length = run.past + run.live;
  const room = stepsOf(recording) - length;
  if (room < 0) {
    throw tooShort(recording, `a run takes ${length}`, [
      'Ask for fewer windows or rounds',
      'or give longer series.',
    ]);
  }
  let best: Slot = { number: 0, liveStart: run.past };
  let most = -1;
  for (let draw = 0; draw < 100 && most < recording.series.length; draw += 1) {
    const slot = { number: 0, liveStart: random.below(room + 1) + run.past };
    const covered = recording.series.filter((series) => covers(series, slot, run)).length;
    if (covered > most) [best, most] = [slot, covered];
  }
  return best;
}

/** Whether enough of the slot was recorded: `MIN_PRESENT` of its steps, and the series covers it from end to end. */
export function covers(series: RecordedSeries, slot: Slot, run: RunLength): boolean {
  const from = slot.liveStart - run.past - series.firstStep;
  const until = from + run.past + run.live;
  if (from < 0 || until > series.target.length) return false;
  let present = 0;
  for (let step = from; step < until; step += 1) {
    if (!Number.isNaN(series.target[step] ?? Number.NaN)) present += 1;
  }
  return present >= MIN_PRESENT * (until - from);
}

/** Mean of the target in a slot over all series; NaN when nothing was recorded. */
export function meanLevel(recording: Recording, slot: Slot, run: RunLength): number {
  let sum = 0;
  let count = 0;
  for (const { firstStep, target } of recording.series) {
    const from = Math.max(0, slot.liveStart - run.past - firstStep);
    const until = Math.min(target.length, slot.liveStart + run.live - firstStep);
    for (let step = from; step < until; step += 1) {
      const value = target[step] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      sum += value;
      count += 1;
    }
  }
  return sum / count;
}

export function tooShort(recording: Recording, need: string, remedies: readonly string[]): FedloopError {
  return new FedloopError(
    'InvalidData',
    `the recorded data is too short: it spans ${stepsOf(recording)} steps of ${describeStep(recording.stepMicros)}, and ${need}`,
    { hint: remedies.join(', ') },
  );
}

function describeStep(micros: number): string {
  const seconds = micros / 1_000_000;
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
