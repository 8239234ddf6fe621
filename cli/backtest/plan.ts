import { type BacktestPlan } from '../../core/backtest/types';
import { FedloopError } from '../../core/contracts/errors';
import { mostWindows } from '../../core/contracts/rounds';
import { firstRoundWindows } from '../../core/contracts/readiness';
import { type StreamSettings } from '../../core/contracts/settings';
import { type Micros } from '../../core/contracts/time';
import { span } from '../shared/format';
import { MICROS_PER_SECOND } from '../../core/contracts/time';

export interface PlanRequest {
  /** Windows from the first reading to the last. */
  readonly windows: number;
  readonly rounds: number | 'auto';
  /** Windows that candidates are judged on. */
  readonly judged: number;
  readonly seasonMicros: Micros;
}

/** @throws FedloopError `InvalidData` where most windows would be empty, and nothing says how long a reading stays true. */
export function assertFilled(window: Micros, spacing: Micros, hold?: Micros): void {
  if (window >= spacing || hold !== undefined) return;
  const [length, between] = [window, spacing].map((micros) => span(micros / MICROS_PER_SECOND));
  throw new FedloopError(
    'InvalidData',
    `a window of ${length} is shorter than the ${between} from one reading of a device to its next: most windows would be empty`,
    { hint: `Use a window of ${between} or more, or hold for sensors that send on change.` },
  );
}

/** More rounds show the same, and take longer. */
const MOST_ROUNDS = 8;

/**
 * Spread rounds evenly over the recording: the first after its share of the windows, and not before a new fleet could have one.
 * @throws FedloopError `InvalidData` for a recording that is too short.
 */
export function planRounds(
  { task, watermarkMicros }: StreamSettings,
  { windows, rounds, judged, seasonMicros }: PlanRequest,
): BacktestPlan {
  // A version is scored on the first window that nothing has been read of when it is made.
  const latency = Math.ceil(watermarkMicros / task.windowMicros) + 2;
  const first = firstRoundWindows(task);
  const shortest = judged + latency;
  const fitting = Math.floor((windows - first) / shortest);
  if (fitting < 1 || (rounds !== 'auto' && fitting < rounds)) {
    const needed = first + (rounds === 'auto' ? 1 : rounds) * shortest;
    const length = span(task.windowMicros / MICROS_PER_SECOND);
    throw new FedloopError(
      'InvalidData',
      `the recording spans ${windows} windows of ${length}, and ${rounds === 'auto' ? 'one round' : `${rounds} rounds`} can take place in ${needed} or more`,
      { hint: 'Give a longer recording, fewer --rounds or a shorter --window.' },
    );
  }
  const count = rounds === 'auto' ? Math.min(MOST_ROUNDS, fitting) : rounds;
  const firstAfter = Math.max(first, Math.min(Math.floor(windows / (count + 1)), windows - count * shortest));
  const every = Math.floor((windows - firstAfter) / count);
  const season = seasonMicros / task.windowMicros;
  return {
    rounds: count,
    firstAfter,
    every,
    judged,
    // Where there is room before the next round, a candidate is judged on as many windows as a live one.
    mostJudged: Math.max(
      judged,
      Math.min(mostWindows({ windows: judged, maxWindows: 'auto' }), every - latency),
    ),
    // A season of one window is persistence.
    season: Number.isInteger(season) && season > 1 && season < windows ? season : null,
  };
}
