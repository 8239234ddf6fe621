import { Argument, InvalidArgumentError, type Command } from 'commander';
import { SCHEDULE_NAMES, type ScheduleName } from '../../core/contracts/queues';
import { durationSchema } from '../../core/contracts/settings';
import { type NoteOptions, type Printing, type SetOptions } from '../actions/schedule';
import { json, jsonOption } from '../shared/options';
import { withSession } from '../system/session';

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
  registerTiming(schedule);
  registerControl(schedule);
}

const what = (): Argument => new Argument('<what>', 'what it starts').choices(SCHEDULE_NAMES);

function registerTiming(schedule: Command): void {
  schedule
    .command('set')
    .description('Make a schedule, or change the one there is.')
    .addArgument(what())
    .option('--every <duration>', 'the time between two starts, such as 10m', duration)
    .option('--cron <expression>', 'minute hour day month weekday, such as "0 3 * * *"')
    .option('--timezone <name>', 'time zone of --cron, such as Europe/Zurich (UTC)')
    .option('--input <json>', 'the workflow’s input: JSON, @file or - for standard input', json)
    .option('--preset <name>', 'the round’s input of that name in the deployment file; --input changes it')
    .option(
      '--jitter <duration>',
      'start late by up to this, at random (5s, or half of a short --every)',
      duration,
    )
    .option('--catch-up <duration>', 'make up for starts missed up to so long ago', duration, '10m')
    .option('--no-pause-on-failure', 'go on after a run that failed')
    .option('--note <text>', 'a note that the schedule keeps')
    .addOption(jsonOption())
    .action((name: ScheduleName, options: SetOptions) =>
      withSession(async (session) => {
        const { set } = await import('../actions/schedule.js');
        await set(session, name, options);
      }),
    );
  schedule
    .command('list')
    .description('Schedules of this deployment, and when they start next.')
    .addOption(jsonOption())
    .action((options: Printing) =>
      withSession(async (session) => {
        const { list } = await import('../actions/schedule.js');
        await list(session, options);
      }),
    );
}

function registerControl(schedule: Command): void {
  schedule
    .command('pause')
    .description('Start nothing until it is resumed.')
    .addArgument(what())
    .option('--note <text>', 'why', 'paused by fedloop schedule')
    .addOption(jsonOption())
    .action((name: ScheduleName, options: NoteOptions) =>
      withSession(async (session) => {
        const { pause } = await import('../actions/schedule.js');
        await pause(session, name, options);
      }),
    );
  schedule
    .command('resume')
    .description('Go on after a pause.')
    .addArgument(what())
    .option('--note <text>', 'why', 'resumed by fedloop schedule')
    .addOption(jsonOption())
    .action((name: ScheduleName, options: NoteOptions) =>
      withSession(async (session) => {
        const { resume } = await import('../actions/schedule.js');
        await resume(session, name, options);
      }),
    );
  schedule
    .command('trigger')
    .description('Start its workflow now, also while it is paused; skipped while a run of it lasts.')
    .addArgument(what())
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Printing) =>
      withSession(async (session) => {
        const { trigger } = await import('../actions/schedule.js');
        await trigger(session, name, options);
      }),
    );
  schedule
    .command('delete')
    .description('Delete it. Runs that it has started go on.')
    .addArgument(what())
    .addOption(jsonOption())
    .action((name: ScheduleName, options: Printing) =>
      withSession(async (session) => {
        const { remove } = await import('../actions/schedule.js');
        await remove(session, name, options);
      }),
    );
}

/** A duration as it is written, checked. */
function duration(text: string): string {
  if (!durationSchema.safeParse(text).success)
    throw new InvalidArgumentError('It must be a number with ms, s, m, h or d, such as 10m.');
  return text;
}
