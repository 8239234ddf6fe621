import { readFileSync } from 'node:fs';
import { createProgram } from '../../../cli/main';
import { packageFile } from '../../../cli/shared/package-root';
import { renderReference } from '../../../cli/reference/reference';

describe('docs/cli.md', () => {
  it('says what the program says (else: npm run build && npm run docs:cli)', () => {
    expect(readFileSync(packageFile('docs', 'cli.md'), 'utf8')).toBe(renderReference(createProgram()));
  });

  it('has every command, each with what it is for', () => {
    const text = renderReference(createProgram());
    for (const command of createProgram().commands) {
      if (command.name() === 'help') continue;
      expect(text).toContain(`### fedloop ${command.name()}`);
      expect(command.summary() || command.description()).not.toBe('');
    }
  });
});

it('every command that prints results for people prints them for programs too', () => {
  const leaves = (command: ReturnType<typeof createProgram>): readonly (typeof command)[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const without = leaves(createProgram())
    .filter((command) => !command.options.some(({ long }) => long === '--json'))
    .map((command) => command.name());
  // One takes its process over, the other prints help.
  expect(without.filter((name) => !['worker', 'help'].includes(name))).toEqual([]);
});
