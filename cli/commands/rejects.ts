import { type Command, InvalidArgumentError, Option } from 'commander';
import { VERDICTS } from '../../core/contracts/blocks';
import { UNMAPPED } from '../../core/contracts/ingest';
import { microsOfText } from '../../core/contracts/timestamps';
import { type ListOptions, type ReplayRejectsOptions } from '../actions/rejects';
import { jsonOption, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Late readings become means by device and window, as with "fedloop history import": where a window has a live row, that one counts;
others enter the history that models train on. No row of the stream changes, and no forecast is evaluated on them. Replaying the
same again changes nothing.

Examples:
  $ fedloop rejects list --reason malformed --limit 50
  $ fedloop rejects replay --reason late --since 2026-01-31
`;

/** `fedloop rejects`: events that stream workers have refused, and messages that ingest could not map. */
export function registerRejects(program: Command): void {
  const rejects = program
    .command('rejects')
    .summary('events that were refused, and late ones as history')
    .description(
      'Events that stream workers have refused, and messages that ingest could not map (unmapped), as Kafka keeps them.',
    )
    .addHelpText('after', HELP);
  rejects
    .command('list')
    .description('How many there are by reason, and the latest of them.')
    .addOption(
      new Option('--reason <reason>', 'only these').choices([
        ...VERDICTS.filter((one) => one !== 'windowed'),
        UNMAPPED,
      ]),
    )
    .option('--limit <n>', 'how many to show', wholeNumber(0, 10_000), 20)
    .addOption(jsonOption())
    .action((options: ListOptions) =>
      withSession(async (session) => {
        const { listRejects } = await import('../actions/rejects.js');
        await listRejects(session, options);
      }),
    );
  rejects
    .command('replay')
    .description('Feed late readings back as history, where no live row exists.')
    .addOption(new Option('--reason <reason>', 'which rejects').choices(['late']).makeOptionMandatory())
    .option('--since <time>', 'only rejects that Kafka has stamped at this time or later', instant)
    .option('--dry-run', 'say what would be written, and write nothing')
    .addOption(jsonOption())
    .action((options: ReplayRejectsOptions) =>
      withSession(async (session) => {
        const { replayRejects } = await import('../actions/rejects.js');
        await replayRejects(session, options);
      }),
    );
}

function instant(text: string): number {
  const micros = microsOfText(text);
  if (Number.isNaN(micros))
    throw new InvalidArgumentError('It must be a time, such as 2026-01-31T12:00:00Z.');
  return micros;
}
