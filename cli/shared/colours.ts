import { isatty } from 'node:tty';
import pc from 'picocolors';

/**
 * Colours where a person looks at a terminal, and plain text everywhere else: pipes, files, CI, and with NO_COLOR set. Results go
 * to stdout and everything else to stderr, and one may be piped while the other is not.
 */
function coloursOf(stream: NodeJS.WriteStream & { readonly fd: number }): ReturnType<typeof pc.createColors> {
  const { NO_COLOR: none, FORCE_COLOR: force, TERM: terminal } = process.env;
  if (none !== undefined && none !== '') return pc.createColors(false);
  if (force !== undefined && force !== '' && force !== '0') return pc.createColors(true);
  // `isTTY` of a pipe is undefined, and undefined leaves the choice to the library, which takes CI for a terminal.
  return pc.createColors(isatty(stream.fd) && terminal !== 'dumb');
}

export const outColours = coloursOf(process.stdout);
export const errorColours = coloursOf(process.stderr);
