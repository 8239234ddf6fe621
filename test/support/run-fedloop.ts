import { spawn } from 'node:child_process';
import { packageFile } from '../../cli/shared/package-root';

/** What a command printed and ended with. */
export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** For a command that stays: it gets Ctrl-C when this is true of what it has printed. */
  readonly enough?: (out: string) => boolean;
}

/** Run a `fedloop` command to its end, as a user would. */
export function runFedloop(
  words: readonly string[],
  { cwd, env, enough }: RunOptions,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [packageFile('bin', 'fedloop.js'), ...words], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text: Buffer) => {
    out += text.toString();
    if (enough?.(out) === true) child.kill('SIGINT');
  });
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  return new Promise((done) => {
    child.once('close', (code) => {
      done({ code, out, err });
    });
  });
}
