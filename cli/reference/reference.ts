import { type Command } from 'commander';
import { EXIT_CODES } from '../shared/fail';

/**
 * docs/cli.md: what every command says of itself, by group. Made of the program (`npm run docs:cli`), so it cannot say anything else;
 * a test compares the two.
 */
export function renderReference(program: Command): string {
  const groups = new Map<string, Command[]>();
  for (const command of program.commands) {
    if (command.name() === 'help') continue;
    const group = command.helpGroup().replace(/:$/, '');
    groups.set(group, [...(groups.get(group) ?? []), command]);
  }
  const sections = [...groups].map(
    ([group, commands]) =>
      `## ${group}\n\n${commands
        .flatMap((command) => leavesOf(command))
        .map(describe)
        .join('\n')}`,
  );
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return [
    '# The command line',
    '',
    '<!-- Made of the program by `npm run docs:cli`; a test compares the two. -->',
    '',
    'Results go to stdout, everything else to stderr. `--json` prints results for programs. Colours are left out of pipes and files, and',
    'with `NO_COLOR` set; `FORCE_COLOR` puts them in. `--verbose` before the command shows stack traces and causes of errors.',
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...codes,
    '',
    sections.join('\n'),
  ].join('\n');
}

/** A command's subcommands, each by itself, or the command where it has none. */
function leavesOf(command: Command): readonly Command[] {
  const inner = command.commands.filter((one) => one.name() !== 'help');
  return inner.length === 0 ? [command] : inner.flatMap(leavesOf);
}

function describe(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHasColors: () => false });
  command.configureHelp({ helpWidth: HELP_WIDTH });
  command.outputHelp();
  return `### ${pathOf(command)}\n\n\`\`\`\n${help.trimEnd()}\n\`\`\`\n`;
}

/** Columns of the document, whatever the terminal of the one who makes it has. */
const HELP_WIDTH = 100;

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
