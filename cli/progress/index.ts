import { plainProgress } from './plain';
import { type Progress } from './progress';
import { terminalProgress } from './terminal';

export { endOf, formatSeconds, silentProgress, type Progress, type Step, type StepFailure } from './progress';

/** Live on a terminal, plain lines elsewhere. */
export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  // Also without a cursor to move (TERM=dumb) and in CI, whose logs show every frame as a line.
  const live = stream.isTTY && process.env['TERM'] !== 'dumb' && process.env['CI'] === undefined;
  return live ? terminalProgress(stream) : plainProgress((text) => stream.write(text));
}
