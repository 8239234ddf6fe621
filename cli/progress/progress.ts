import { FedloopError } from '../../core/contracts/errors';

/** What a long command tells a person while it works. Everything goes to stderr: stdout is for results. */
export interface Progress {
  /** Something begins that takes a while. */
  step(title: string): Step;
  /** A line that stays. */
  note(line: string): void;
  /** Take down whatever is live on the screen. */
  stop(): void;
}

export type StepFailure = 'failed' | 'stopped';

export interface Step {
  /** What it is doing now; `fraction` (0 to 1) where the end is known. */
  update(detail: string, fraction?: number): void;
  /** What it is called from now on, where that is not known at its beginning. */
  rename(title: string): void;
  done(result?: string): void;
  /** `stopped` when it was broken off because of something else, whose own failure is told. */
  fail(why?: StepFailure): void;
}

/** How a step ends that has thrown: a Ctrl-C is no failure of its own. */
export function endOf(thrown: unknown): StepFailure {
  return thrown instanceof FedloopError && thrown.code === 'Interrupted' ? 'stopped' : 'failed';
}

/** `7 s`, `2 min 05 s`. */
export function formatSeconds(millis: number): string {
  const seconds = Math.round(millis / 1_000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** For `--json`, tests, and whoever wants no words. */
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
