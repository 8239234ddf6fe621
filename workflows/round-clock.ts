import { ApplicationFailure, metricMeter } from '@temporalio/workflow';
import { type ErrorCode } from '../core/contracts/errors';
import { durationMillis } from '../core/contracts/settings';

const share = metricMeter.createGauge(
  'fedloop_round_time_used_ratio',
  'float',
  undefined,
  'Time that the running round has worked for, of its roundTimeout; 0 once it has ended.',
);

/**
 * How long a round has worked for, and when that is too long. Pauses, the wait for live windows and the time for a person's answer have
 * limits of their own: they do not count.
 */
export class RoundClock {
  private began: number | null = null;

  /** @param used milliseconds that an earlier run of the round has worked for */
  constructor(private used: number) {}

  /** Run or stand still from now on. */
  run(isRunning: boolean): void {
    this.used = this.millis;
    this.began = isRunning ? Date.now() : null;
  }

  /** Milliseconds up to now. */
  get millis(): number {
    return this.used + (this.began === null ? 0 : Date.now() - this.began);
  }

  /** Tell the metrics how much of its time the round has used. */
  publish(roundTimeout: string): void {
    share.set(this.millis / durationMillis(roundTimeout));
  }

  ended(): void {
    share.set(0);
  }

  /** @throws ApplicationFailure `TimedOut` once the round has worked for longer than it may */
  requireTime(roundTimeout: string): void {
    if (this.millis <= durationMillis(roundTimeout)) return;
    throw outOfTime(
      `the round has worked for its roundTimeout of ${roundTimeout}; the champion stays. Start it again with more, or see in its steps what took so long`,
    );
  }
}

/** The failure of a round that has reached its `roundTimeout`. */
export function outOfTime(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'TimedOut' satisfies ErrorCode);
}
