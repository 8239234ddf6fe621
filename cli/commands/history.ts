import { type Command } from 'commander';
import { type HistoryImportOptions } from '../actions/history';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Files are .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet. A table has the columns device_id, timestamp and the sensors' names, or
those that the paths of source.fields name; with --wide each column that the pattern fits is one device. Messages (.jsonl) are
mapped as the fleet's live ones are.

Readings become means by device and window. A window that has a live row keeps it, one that was imported before keeps its first
mean, and only the newest 400 windows count. A partition that has not read an event yet begins with the history: its devices are
forecast from their first windows on. One that has begun does not change; there the history trains models. Importing the same
again changes nothing.

Examples:
  $ fedloop history import past.csv.gz
  $ fedloop history import exports/ --config fedloop.yaml --dry-run
  $ fedloop history import wide.csv --wide "temperature_*" --json
`;

/** `fedloop history`: what a fleet measured before Fedloop. */
export function registerHistory(program: Command): void {
  const history = program
    .command('history')
    .summary('the past of your devices, from files')
    .description('What a fleet measured before Fedloop.');
  history
    .command('import')
    .argument('<path>', 'a file of readings, or a folder of such files')
    .description(
      'Read files of readings into means by device and window, as a past that models train on and forecasts begin with.',
    )
    .option(
      '--wide <pattern>',
      'columns of the target, one a device: * is the device id, such as "temperature_*"',
    )
    .option('--dry-run', 'say what would be written, and write nothing')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((path: string, options: HistoryImportOptions) =>
      withSession(async (session) => {
        const { importFrom } = await import('../actions/history.js');
        await importFrom(session, path, options);
      }),
    );
}
