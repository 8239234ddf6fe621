import { resolve } from 'node:path';
import { forTerminal } from '../shared/format';
import { interruption } from '../shared/interrupt';
import { writeOut } from '../shared/standard-output';
import { createProgress, type Progress } from '../progress';

/** Surroundings of a command. */
export interface Session {
  readonly progress: Progress;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** Relative paths start here; `.fedloop/` and `runs/` lie in it. */
  readonly folder: string;
  /** The command's result, on stdout. */
  readonly out: (text: string) => void;
}

/** Run a command with its surroundings. Takes down the live display at the end, also after a failure. */
export async function withSession(work: (session: Session) => Promise<void>): Promise<void> {
  const progress = createProgress();
  try {
    await work({
      progress,
      signal: interruption(),
      env: process.env,
      folder: resolve('.'),
      out: (text) => {
        writeOut(process.stdout.isTTY ? forTerminal(text) : text);
      },
    });
  } finally {
    progress.stop();
  }
}
