import { Argument, InvalidArgumentError, type Command } from 'commander';
import Table from 'cli-table3';
import { type Client } from '@temporalio/client';
import { type ScheduleName } from '../../core/contracts/queues';
import { durationSchema } from '../../core/contracts/settings';
import { deploymentEnvironment } from '../deployment';
import { json, jsonOption } from '../options';
import {
  deleteSchedule,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
  scheduleNames,
  setSchedule,
  triggerSchedule,
  type ScheduleLine,
  type Timing,
} from '../schedules';
import { withTemporal } from '../servers/temporal-client';
import { withSession, type Session } from '../session';
import { PLAIN_TABLE } from '../table-style';

const HELP = `
A schedule that exists is changed in place. While a run of it lasts, or waits for a round that was started by hand, the next one is
skipped; one that fails pauses the schedule.

Examples:
  $ fedloop schedule set rounds --every 10m --input '{"participants": 20}'
  $ fedloop schedule set batch --cron "0 3 * * *" --timezone Europe/Zurich
  $ fedloop schedule pause rounds --note "maintenance"
`;

/** `fedloop schedule`: rounds and batch runs by the clock, kept by Temporal. */
export function registerSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .summary('rounds and batch runs by the clock')
    .description('Temporal Schedules that start rounds and batch runs.')
    .addHelpText('after', HELP);
  const what = (): Argument => new Argument('<what>', 'what it starts').choices(scheduleNames());

  schedule
    .command('set')
    .description('Make a schedule, or change the one there is.')
    .addArgument(what())
    .option('--every <duration>', 'the time between two starts, such as 10m', duration)
    .option('--cron <expression>', 'minute hour day month weekday, such as "0 3 * * *"')
    .option('--timezone <name>', 'time zone of --cron, such as Europe/Zurich (UTC)')
    .option('--input <json>', 'the workflow’s input: JSON, @file or - for standard input', json)
    .option('--jitter <duration>', 'start late by up to this, at random', duration, '5s')
    .option('--catch-up <duration>', 'make up for starts missed up to so long ago', duration, '10m')
    .option('--no-pause-on-failure', 'go on after a run that failed')
    .option('--note <text>', 'for those who look at it later')
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Timing & Printing & { readonly input?: unknown }) =>
      withClient(async (client, session) => {
        const done = await setSchedule(client, name, options, options.input);
        report(session, options, { schedule: name, done });
      }),
    );
  schedule
    .command('list')
    .description('Schedules of this deployment, and when they start next.')
    .addOption(jsonOption())
    .action((options: Printing) =>
      withClient(async (client, session) => {
        const lines = await listSchedules(client);
        session.out(options.json === true ? `${JSON.stringify(lines, null, 2)}\n` : render(lines));
      }),
    );
  schedule
    .command('pause')
    .description('Start nothing until it is resumed.')
    .addArgument(what())
    .option('--note <text>', 'why', 'paused by fedloop schedule')
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Printing & { readonly note: string }) =>
      withClient(async (client, session) => {
        const changed = await pauseSchedule(client, name, options.note);
        report(session, options, { schedule: name, done: changed ? 'paused' : 'paused already' });
      }),
    );
  schedule
    .command('resume')
    .description('Go on after a pause.')
    .addArgument(what())
    .option('--note <text>', 'why', 'resumed by fedloop schedule')
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Printing & { readonly note: string }) =>
      withClient(async (client, session) => {
        const changed = await resumeSchedule(client, name, options.note);
        report(session, options, { schedule: name, done: changed ? 'resumed' : 'not paused' });
      }),
    );
  schedule
    .command('trigger')
    .description('Start its workflow now, also while it is paused; skipped while a run of it lasts.')
    .addArgument(what())
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Printing) =>
      withClient(async (client, session) => {
        await triggerSchedule(client, name);
        report(session, options, { schedule: name, done: 'triggered' });
      }),
    );
  schedule
    .command('delete')
    .description('Take it away. Runs that it has started go on.')
    .addArgument(what())
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Printing) =>
      withClient(async (client, session) => {
        await deleteSchedule(client, name);
        report(session, options, { schedule: name, done: 'deleted' });
      }),
    );
}

function withClient(work: (client: Client, session: Session) => Promise<void>): Promise<void> {
  return withSession(async (session) =>
    withTemporal(await deploymentEnvironment(session), (client) => work(client, session)),
  );
}

interface Printing {
  readonly json?: boolean;
}

/** What became of a schedule: a line for people, an object for programs. */
function report(
  session: Session,
  { json: asJson }: Printing,
  outcome: { readonly schedule: ScheduleName; readonly done: string },
): void {
  session.out(
    asJson === true ? `${JSON.stringify(outcome)}\n` : `schedule for ${outcome.schedule}: ${outcome.done}\n`,
  );
}

/** A duration as it is written, checked. */
function duration(text: string): string {
  if (!durationSchema.safeParse(text).success)
    throw new InvalidArgumentError('It must be a number with ms, s, m, h or d, such as 10m.');
  return text;
}

function render(lines: readonly ScheduleLine[]): string {
  if (lines.length === 0) return 'no schedules; make one: fedloop schedule set rounds --every 10m\n';
  const table = new Table({
    ...PLAIN_TABLE,
    head: ['schedule', 'when', 'next', 'last', 'started', 'skipped', 'note'],
  });
  for (const { name, when, paused, next, last, started, skipped, note } of lines)
    table.push([name, when, paused ? 'paused' : (next ?? '–'), last ?? '–', started, skipped, note ?? '']);
  return `${table.toString()}\n`;
}
