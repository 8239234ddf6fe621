import { FedloopError } from '../../core/contracts/errors';

/** What a long command shows while it works. Everything goes to stderr; stdout is for results. */
export interface Progress {
  /** Begin a step that takes a while. */
  step(title: string): Step;
  /** Print a line. */
  note(line: string): void;
  /** Remove the live display. */
  stop(): void;
}

export type StepFailure = 'failed' | 'stopped';

export interface Step {
  /** Show details; `fraction` (0 to 1) where the end is known. */
  update(detail: string, fraction?: number): void;
  /** Change its title, where that was not known at the beginning. */
  rename(title: string): void;
  done(result?: string): void;
  /** `stopped` when it was interrupted by another failure, which is reported itself. */
  fail(why?: StepFailure): void;
}

/** How a step ends after an error: Ctrl-C is not a failure. */
export function endOf(thrown: unknown): StepFailure {
  return thrown instanceof FedloopError && thrown.code === 'Interrupted' ? 'stopped' : 'failed';
}

/** `7 s`, `2 min 05 s`. */
export function formatSeconds(millis: number): string {
  const seconds = Math.round(millis / 1_000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** For `--json` and tests. */
export const silentProgress: Progress = {
  step: () => ({
    update: () => undefined,
    rename: () => undefined,
    done: () => undefined,
    fail: () => undefined,
  }),
  note: () => undefined,
  stop: () => undefined,
};
