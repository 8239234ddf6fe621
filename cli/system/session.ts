import { resolve } from 'node:path';
import { interruption } from '../shared/interrupt';
import { createProgress, type Progress } from '../progress';

/** What a command has around it. */
export interface Session {
  readonly progress: Progress;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** Where relative paths start, and `.fedloop/` and `runs/` lie. */
  readonly folder: string;
  /** The command's result, on stdout. */
  readonly out: (text: string) => void;
}

/** Run a command's work with its surroundings, and take the live display down at its end, good or bad. */
export async function withSession(work: (session: Session) => Promise<void>): Promise<void> {
  const progress = createProgress();
  try {
    await work({
      progress,
      signal: interruption(),
      env: process.env,
      folder: resolve('.'),
      out: (text) => {
        process.stdout.write(text);
      },
    });
  } finally {
    progress.stop();
  }
}
