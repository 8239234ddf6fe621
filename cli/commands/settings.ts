import { Argument, type Command } from 'commander';
import { type Changeable, type ChangeOptions, type ShowOptions } from '../actions/settings';
import { json, jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const WHICH: readonly Changeable[] = ['evaluation', 'round', 'training'];

const HELP = `
A change names what it changes, and nothing else changes; null brings a default back. It is checked as a whole.

Examples:
  $ fedloop settings show evaluation
  $ fedloop settings change evaluation --input '{"rollback": "off"}' --by Ada --reason "sensors are moved"
  $ fedloop settings change round --input '{"windows": 12}' --dry-run
  $ fedloop settings change training --preset nightly
`;

/** `fedloop settings`: settings of workflows that run. */
export function registerSettings(program: Command): void {
  const settings = program
    .command('settings')
    .summary('settings of the workflows that run')
    .description('What the evaluation, a round or a training goes by, and who changed what.')
    .addHelpText('after', HELP);
  settings
    .command('show')
    .description('What is in force, and the latest changes.')
    .addArgument(which())
    .option('--workflow-id <id>', 'of a workflow under another id than the fleet’s own')
    .addOption(jsonOption())
    .action((chosen: Changeable, options: ShowOptions) =>
      withSession(async (session) => {
        const { showSettings } = await import('../actions/settings.js');
        await showSettings(session, chosen, options);
      }),
    );
  settings
    .command('change')
    .description('Change what is named, while it runs; the answer says what was and what is.')
    .addArgument(which())
    .option('--input <json>', 'the change: JSON, @file or - for standard input', json)
    .option('--preset <name>', 'the round’s input of that name in the deployment file')
    .option('--by <name>', 'who changes it, for the record')
    .option('--reason <text>', 'why, for the record')
    .option('--dry-run', 'check it and say what it would change')
    .option('--workflow-id <id>', 'of a workflow under another id than the fleet’s own')
    .addOption(jsonOption())
    .action((chosen: Changeable, options: ChangeOptions) =>
      withSession(async (session) => {
        const { changeSettings } = await import('../actions/settings.js');
        await changeSettings(session, chosen, options);
      }),
    );
}

const which = (): Argument => new Argument('<which>', 'whose settings').choices(WHICH);
