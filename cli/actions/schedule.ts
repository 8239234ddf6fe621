import Table from 'cli-table3';
import { type Client } from '@temporalio/client';
import { type FleetNames, type ScheduleName } from '../../core/contracts/queues';
import { deploymentEnvironment } from '../system/deployment';
import { timestamp } from '../shared/format';
import {
  deleteSchedule,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
  setSchedule,
  triggerSchedule,
  type ScheduleLine,
} from '../temporal/schedules';
import { type Timing } from '../temporal/schedule-timing';
import { withTemporal } from '../servers/temporal-client';
import { inputOf, type InputOptions } from '../system/presets';
import { type Session } from '../system/session';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { unlessAborted } from '../shared/wait';

export interface Printing {
  readonly json?: boolean;
}

export interface SetOptions extends Timing, Printing, InputOptions {}

export interface NoteOptions extends Printing {
  readonly note: string;
}

/** `fedloop schedule set` */
export async function set(session: Session, name: ScheduleName, options: SetOptions): Promise<void> {
  const input = await inputOf(session, options);
  const { done, paused, missedStarts } = await withClient(session, (client, names) =>
    setSchedule(client, names, { name, timing: options, input }),
  );
  report(session, options, {
    schedule: name,
    done,
    notes: [
      ...(paused ? [`it is paused still: fedloop schedule resume ${name}`] : []),
      ...missedStarts.map(
        ({ date, time }) =>
          `clocks in ${options.timezone ?? 'UTC'} leave ${time} out on ${date}: it does not start then`,
      ),
    ],
  });
}

/** `fedloop schedule list` */
export async function list(session: Session, { json }: Printing): Promise<void> {
  const lines = await withClient(session, listSchedules);
  session.out(json === true ? `${JSON.stringify(lines, null, 2)}\n` : render(lines));
}

/** `fedloop schedule pause` */
export async function pause(session: Session, name: ScheduleName, options: NoteOptions): Promise<void> {
  const changed = await withClient(session, (client, names) =>
    pauseSchedule(client, names, name, options.note),
  );
  report(session, options, { schedule: name, done: changed ? 'paused' : 'paused already' });
}

/** `fedloop schedule resume` */
export async function resume(session: Session, name: ScheduleName, options: NoteOptions): Promise<void> {
  const changed = await withClient(session, (client, names) =>
    resumeSchedule(client, names, name, options.note),
  );
  report(session, options, { schedule: name, done: changed ? 'resumed' : 'not paused' });
}

const TRIGGER_NOTES = {
  started: [],
  skipped: ['a run of it lasts, or waits for a round: see fedloop status'],
  asked: ['Temporal has not said yet whether it started: see fedloop schedule list'],
} as const;

/** `fedloop schedule trigger` */
export async function trigger(session: Session, name: ScheduleName, options: Printing): Promise<void> {
  const done = await withClient(session, (client, names) => triggerSchedule(client, names, name));
  report(session, options, { schedule: name, done, notes: TRIGGER_NOTES[done] });
}

/** `fedloop schedule delete` */
export async function remove(session: Session, name: ScheduleName, options: Printing): Promise<void> {
  await withClient(session, (client, names) => deleteSchedule(client, names, name));
  report(session, options, { schedule: name, done: 'deleted' });
}

async function withClient<Result>(
  session: Session,
  work: (client: Client, names: FleetNames) => Promise<Result>,
): Promise<Result> {
  return unlessAborted(withTemporal(await deploymentEnvironment(session), work), session.signal);
}

/** The outcome for a schedule: a line for people, an object for programs. */
function report(
  session: Session,
  { json: asJson }: Printing,
  outcome: { readonly schedule: ScheduleName; readonly done: string; readonly notes?: readonly string[] },
): void {
  const { schedule, done, notes = [] } = outcome;
  const lines = [`schedule for ${schedule}: ${done}`, ...notes.map((note) => `  ${note}`)];
  session.out(asJson === true ? `${JSON.stringify(outcome)}\n` : `${lines.join('\n')}\n`);
}

function timestampOr(iso: string | null): string {
  return iso === null ? '–' : timestamp(iso);
}

function render(lines: readonly ScheduleLine[]): string {
  if (lines.length === 0) return 'no schedules; make one: fedloop schedule set rounds --every 10m\n';
  const table = new Table({
    ...PLAIN_TABLE,
    head: ['schedule', 'when', 'next', 'last', 'started', 'skipped', 'note'],
  });
  for (const { name, id, when, paused, next, last, started, skipped, note } of lines)
    table.push([
      name ?? id,
      when,
      paused ? 'paused' : timestampOr(next),
      timestampOr(last),
      started,
      skipped,
      note ?? '',
    ]);
  return `${linesOf(table)}\n`;
}
