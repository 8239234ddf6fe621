import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

/** `fedloop down`: stop what `fedloop up` has started. */
export function registerDown(program: Command): void {
  program
    .command('down')
    .summary('stop what runs in this folder')
    .description(
      'Stop the workers and servers of this folder; their data stays in runs/<id>. Nothing running is no error. A process that has the number of an ended one is left alone.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { down } = await import('../actions/down.js');
        await down(session, options);
      }),
    );
}
