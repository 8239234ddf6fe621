import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
On a terminal one screen is kept up to date until Ctrl-C. In a pipe, or with --json, there is a line whenever something has
changed. It ends when the system does.
`;

/** `fedloop watch`: the scoreboard, live. */
export function registerWatch(program: Command): void {
  program
    .command('watch')
    .summary('the scoreboard, live')
    .description('Follow the accuracy of every version, the round under way and the lag of the stream.')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { watch } = await import('../actions/watch.js');
        await watch(session, options.json === true);
      }),
    );
}
