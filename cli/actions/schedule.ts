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
  type Timing,
} from '../temporal/schedules';
import { withTemporal } from '../servers/temporal-client';
import { type Session } from '../system/session';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { unlessAborted } from '../shared/wait';

export interface Printing {
  readonly json?: boolean;
}

export interface SetOptions extends Timing, Printing {
  readonly input?: unknown;
}

export interface NoteOptions extends Printing {
  readonly note: string;
}

/** `fedloop schedule set` */
export async function set(session: Session, name: ScheduleName, options: SetOptions): Promise<void> {
  const done = await withClient(session, (client, names) =>
    setSchedule(client, names, { name, timing: options, input: options.input }),
  );
  report(session, options, { schedule: name, done });
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

/** `fedloop schedule trigger` */
export async function trigger(session: Session, name: ScheduleName, options: Printing): Promise<void> {
  await withClient(session, (client, names) => triggerSchedule(client, names, name));
  report(session, options, { schedule: name, done: 'triggered' });
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
  outcome: { readonly schedule: ScheduleName; readonly done: string },
): void {
  session.out(
    asJson === true ? `${JSON.stringify(outcome)}\n` : `schedule for ${outcome.schedule}: ${outcome.done}\n`,
  );
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
  for (const { name, when, paused, next, last, started, skipped, note } of lines)
    table.push([
      name,
      when,
      paused ? 'paused' : timestampOr(next),
      timestampOr(last),
      started,
      skipped,
      note ?? '',
    ]);
  return `${linesOf(table)}\n`;
}
