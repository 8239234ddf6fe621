import { type Command, InvalidArgumentError } from 'commander';
import { microsOfText } from '../../core/contracts/timestamps';
import { type ResetOptions } from '../actions/stream';
import { duration, jsonOption, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
A last resort: one event with a wrong time far ahead has closed the windows of a partition, and everything after it is late. The
partition's owner decides at which event the watermark goes back, and logs that in stream-checkpoints; a successor and
"fedloop verify" obey the log. Events that were late before that stay so. Versions are scored from there on, and a device is
forecast again after as many windows as a forecast looks back on. Windows that have rows stay closed: TIME has to lie behind them.

Examples:
  $ fedloop stream reset-watermark 3 --to 2026-01-31T12:00:00Z
  $ fedloop stream reset-watermark 3 --to 2026-01-31T12:00:00Z --yes --json
`;

/** `fedloop stream`: what people do to the stream by hand. */
export function registerStream(program: Command): void {
  const stream = program
    .command('stream')
    .summary('set the watermark of a partition back')
    .description('Repair a partition of the stream by hand.');
  stream
    .command('reset-watermark')
    .argument('<partition>', 'number of the partition', wholeNumber(0))
    .description(
      'Set the largest event time that a partition has seen back to TIME, so that its windows close again from there on.',
    )
    .requiredOption('--to <time>', 'an event time, such as 2026-01-31T12:00:00Z', instant)
    .option('--yes', 'do not ask')
    .option('--wait <duration>', 'how long to wait for the owner of the partition', duration, 30_000)
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((partition: number, options: ResetOptions) =>
      withSession(async (session) => {
        const { resetWatermark } = await import('../actions/stream.js');
        await resetWatermark(session, partition, options);
      }),
    );
}

function instant(text: string): number {
  const micros = microsOfText(text);
  if (Number.isNaN(micros))
    throw new InvalidArgumentError('It must be a time, such as 2026-01-31T12:00:00Z.');
  return micros;
}
