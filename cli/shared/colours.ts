import { isatty } from 'node:tty';
import pc from 'picocolors';

/**
 * Colours for a terminal; plain text for pipes, files and CI, and with NO_COLOR set. Results go to stdout and everything else to
 * stderr; each stream has its own colours because only one of them may be piped.
 */
function coloursOf(stream: NodeJS.WriteStream & { readonly fd: number }): ReturnType<typeof pc.createColors> {
  const { NO_COLOR: none, FORCE_COLOR: force, TERM: terminal } = process.env;
  if (none !== undefined && none !== '') return pc.createColors(false);
  if (force !== undefined && force !== '' && force !== '0') return pc.createColors(true);
  // `isTTY` of a pipe is undefined, which leaves the choice to the library; it takes CI for a terminal.
  return pc.createColors(isatty(stream.fd) && terminal !== 'dumb');
}

export const outColours = coloursOf(process.stdout);
export const errorColours = coloursOf(process.stderr);
