import { type Command } from 'commander';
import { type ReportOptions } from '../actions/report';
import { LIMITS } from '../shared/limits';
import { jsonOption, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Queries the running system where there is one, else the latest run; RUN is the name of a folder in runs/. The page needs
no network and no scripts. It can be sent, printed, and read on a telephone, in light and dark mode.

Examples:
  $ fedloop report
  $ fedloop report 20260102-030405-1a2b --out friday.html
  $ fedloop report --json | jq '.results.rounds[].accuracy'
`;

/** `fedloop report`: one page on what the versions are worth. */
export function registerReport(program: Command): void {
  program
    .command('report')
    .summary('one HTML page on what the versions are worth')
    .description('Write what a run measured, with pictures, to one HTML file (runs/<id>/report.html).')
    .argument('[run]', 'the run (the one that is up, else the latest)')
    .option('--out <file>', 'where to write it')
    .option(
      '--rounds <n>',
      'at most so many of the latest rounds, and back to those of the version that serves',
      wholeNumber(1, 100),
      LIMITS.reportRounds,
    )
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((id: string | undefined, options: ReportOptions) =>
      withSession(async (session) => {
        const { report } = await import('../actions/report.js');
        await report(session, id, options);
      }),
    );
}
