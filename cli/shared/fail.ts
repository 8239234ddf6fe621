import { CommanderError } from 'commander';
import { errorColours as pc } from './colours';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { machineSentence } from '../../core/contracts/machine-trouble';
import { forTerminal } from './format';

/** Exit codes with their meaning, for the help text and the documentation. */
export const EXIT_CODES = {
  0: 'done',
  1: 'the work itself failed, such as a round that nothing could be measured in',
  2: 'the request cannot be carried out as it stands: options, data, ports, missing programs, servers that do not answer',
  130: 'stopped by Ctrl-C',
} as const;

const BAD_REQUEST = 2;
const FAILED = 1;

/** Text for stderr and exit code of a failed command. */
interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/**
 * Turns everything that a command can throw into one sentence, a hint and an exit code. The only place that does.
 * @param verbose adds the stack and the causes.
 */
export function describeFailure(thrown: unknown, verbose: boolean): Failure {
  if (thrown instanceof CommanderError) {
    // Commander has printed it already; help and version are no failures.
    return { text: '', exitCode: thrown.exitCode === 0 ? 0 : BAD_REQUEST };
  }
  return describe(orMachineTrouble(thrown), verbose);
}

function describe(thrown: unknown, verbose: boolean): Failure {
  const exitCode = thrown instanceof FedloopError ? thrown.exitCode : FAILED;
  const known = thrown instanceof FedloopError;
  if (known && thrown.code === 'Interrupted') return { text: `${pc.dim(thrown.message)}\n`, exitCode };
  const sentence = known
    ? oneLine(thrown.message)
    : `something unforeseen went wrong: ${oneLine(messageOf(thrown))}`;
  const hint = known ? thrown.hint : 'Run the command again with --verbose and report what it prints.';
  const lines = [`${pc.red('error:')} ${sentence}`, ...(hint === undefined ? [] : [`       ${hint}`])];
  if (verbose) lines.push('', ...chainOf(thrown));
  // Messages quote what files, servers and devices say.
  return { text: forTerminal(`${lines.join('\n')}\n`), exitCode };
}

/** A full disk, a read-only folder and too many open files may be met by any line of the program: they are nothing unforeseen. */
function orMachineTrouble(thrown: unknown): unknown {
  if (thrown instanceof FedloopError || !(thrown instanceof Error)) return thrown;
  const where = 'path' in thrown && typeof thrown.path === 'string' ? thrown.path : 'this command’s files';
  const said = machineSentence(thrown, where);
  return said === undefined
    ? thrown
    : new FedloopError('Internal', said.message, { hint: said.hint, cause: thrown });
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/** The stacks of an error and of its causes. */
function chainOf(thrown: unknown): readonly string[] {
  const lines: string[] = [];
  for (let at: unknown = thrown; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    const text = at instanceof Error ? (at.stack ?? at.message) : messageOf(at);
    lines.push(lines.length === 0 ? text : `caused by: ${text}`);
  }
  return lines;
}
