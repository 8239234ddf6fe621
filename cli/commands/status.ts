import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

/** `fedloop status`: what runs here, on one screen. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .summary('what runs in this folder')
    .description(
      'Servers and workers; the champion and its real accuracy; devices that send, are silent or are not forecast, with the reason; when the first round is possible; events put aside, with what usually helps; how far the stream is behind; the last round, the round under way and the next scheduled one; how the networks compare with a linear model, and what sites and devices brought to the newest round.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { status } = await import('../actions/status.js');
        await status(session, options);
      }),
    );
}
