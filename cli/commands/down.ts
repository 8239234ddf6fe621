import { type Command } from 'commander';
import { stopDaemon } from '../system/daemon';
import { jsonOption } from '../shared/options';
import { findRunning } from '../system/running';
import { withSession } from '../system/session';

/** `fedloop down`: stop what `fedloop up` has started. */
export function registerDown(program: Command): void {
  program
    .command('down')
    .summary('stop what runs in this folder')
    .description(
      'Stop the workers and servers of this folder; their data stays in runs/<id>. Nothing running is no error.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const running = await findRunning(session.folder);
        if (running !== undefined) {
          const step = session.progress.step(`Stopping run ${running.id}`);
          await stopDaemon(running.pid);
          step.done();
        }
        const stopped = running?.id ?? null;
        session.out(
          options.json === true
            ? `${JSON.stringify({ stopped })}\n`
            : stopped === null
              ? 'nothing is running in this folder\n'
              : `stopped run ${stopped}; \`fedloop up --resume ${stopped}\` continues it\n`,
        );
      }),
    );
}
