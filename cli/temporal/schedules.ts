import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleOptions,
} from '@temporalio/client';
import { type z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { SCHEDULE_NAMES, type FleetNames, type ScheduleName } from '../../core/contracts/queues';
import { batchAnalyticsInputSchema, federatedRoundInputSchema } from '../../core/contracts/rounds';
import { durationMillis } from '../../core/contracts/settings';
import { parseOrThrow } from '../../core/contracts/validation';
import { poll } from '../shared/wait';
import { span } from '../shared/format';
import { cronOf } from './calendars';
import { missedStarts, type MissedStart } from './clock-changes';
import { refusalOf, requireStarts } from './schedule-refusals';
import { noteOf, specOf, type Timing } from './schedule-timing';

/** The workflow that a schedule starts, by the schedule's name. */
const ACTIONS: Readonly<Record<ScheduleName, { readonly workflow: string; readonly input: z.ZodType }>> = {
  rounds: { workflow: 'federatedRound', input: federatedRoundInputSchema },
  batch: { workflow: 'batchAnalytics', input: batchAnalyticsInputSchema },
};

/** Temporal's server takes a trigger up within a second. */
const TRIGGER_WAIT_MS = 10_000;
const TRIGGER_LOOK_MS = 200;

/** What a schedule starts, when, and with which input. */
export interface ScheduleSetting {
  readonly name: ScheduleName;
  readonly timing: Timing;
  readonly input: unknown;
}

/** What became of `fedloop schedule set`. */
export interface ScheduleSet {
  readonly done: 'made' | 'changed';
  readonly paused: boolean;
  /** Starts of the next year that fall into an hour which the time zone leaves out. */
  readonly missedStarts: readonly MissedStart[];
}

/** One line of `fedloop schedule list`. */
export interface ScheduleLine {
  /** null: made by hand, in Temporal's UI. */
  readonly name: ScheduleName | null;
  readonly id: string;
  readonly when: string;
  readonly paused: boolean;
  readonly note: string | null;
  readonly next: string | null;
  readonly last: string | null;
  readonly started: number;
  readonly skipped: number;
}

/**
 * Create the schedule, or change the existing one, which keeps its id, and stays paused for the reason that it was paused for.
 * @throws FedloopError `InvalidInput` for an invalid time or input.
 */
export async function setSchedule(
  client: Client,
  names: FleetNames,
  { name, timing, input }: ScheduleSetting,
): Promise<ScheduleSet> {
  const options = scheduleOptions(names, { name, timing, input });
  if (timing.cron !== undefined) await requireStarts(client, options, timing.cron);
  const handle = client.schedule.getHandle(options.scheduleId);
  const done = (await isMade(client, options, timing)) ? 'made' : 'changed';
  const { action, policies, spec } = options;
  if (done === 'changed')
    await withSchedule(name, () =>
      handle.update(({ state }) => ({
        action,
        spec,
        ...(policies === undefined ? {} : { policies }),
        state: {
          paused: state.paused,
          note: state.paused && timing.note === undefined ? (state.note ?? '') : noteOf(timing),
        },
      })),
    );
  const { spec: kept, state } = await handle.describe();
  return { done, paused: state.paused, missedStarts: missedBy(kept, timing) };
}

/** @returns false when there is one already. */
async function isMade(client: Client, options: ScheduleOptions, timing: Timing): Promise<boolean> {
  try {
    await client.schedule.create({ ...options, state: { note: noteOf(timing) } });
    return true;
  } catch (thrown) {
    if (thrown instanceof ScheduleAlreadyRunning) return false;
    throw refusalOf(thrown);
  }
}

function missedBy({ calendars }: ScheduleDescription['spec'], { timezone }: Timing): readonly MissedStart[] {
  if (timezone === undefined || calendars === undefined) return [];
  try {
    return missedStarts(calendars, timezone, Date.now());
  } catch (thrown) {
    // Temporal's server knows the zone; where we do not, there is nothing to say of it.
    if (thrown instanceof RangeError) return [];
    throw thrown;
  }
}

/**
 * The schedule for Temporal. SKIP: while a run of it lasts, or waits for a round by hand, the next one is left out.
 * @throws FedloopError `InvalidInput`
 */
function scheduleOptions(
  { schedules, roundsQueue }: FleetNames,
  { name, timing, input }: ScheduleSetting,
): ScheduleOptions {
  const { workflow, input: schema } = ACTIONS[name];
  const scheduleId = schedules[name];
  parseOrThrow(schema, input ?? {}, 'the input');
  return {
    scheduleId,
    spec: specOf(timing),
    action: {
      type: 'startWorkflow',
      workflowType: workflow,
      workflowId: `${scheduleId}-scheduled`,
      taskQueue: roundsQueue,
      args: input === undefined ? [] : [input],
      staticSummary: `${workflow} by the schedule ${scheduleId}`,
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: durationMillis(timing.catchUp),
      pauseOnFailure: timing.pauseOnFailure,
    },
  };
}

/** The fleet's schedules that the namespace has: its own two, then those that people made for its queue, by id. */
export async function listSchedules(
  client: Client,
  { schedules, roundsQueue }: FleetNames,
): Promise<readonly ScheduleLine[]> {
  const own = await Promise.all(
    SCHEDULE_NAMES.map(async (name) => ({ name, found: await find(client, schedules[name]) })),
  );
  const byHand: ScheduleDescription[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if (Object.values(schedules).includes(scheduleId)) continue;
    const found = await find(client, scheduleId);
    if (found?.action.taskQueue === roundsQueue) byHand.push(found);
  }
  byHand.sort((one, other) => (one.scheduleId < other.scheduleId ? -1 : 1));
  return [
    ...own.flatMap(({ name, found }) => (found === undefined ? [] : [lineOf(found, name)])),
    ...byHand.map((found) => lineOf(found, null)),
  ];
}

async function find(client: Client, scheduleId: string): Promise<ScheduleDescription | undefined> {
  try {
    return await client.schedule.getHandle(scheduleId).describe();
  } catch (thrown) {
    if (thrown instanceof ScheduleNotFoundError) return undefined;
    throw thrown;
  }
}

function lineOf(
  { scheduleId, spec, state, info }: ScheduleDescription,
  name: ScheduleName | null,
): ScheduleLine {
  const last = info.recentActions.at(-1);
  const intervals = (spec.intervals ?? []).map(({ every }) => `every ${span(every / 1_000)}`);
  const zone = spec.timezone === undefined || spec.timezone === '' ? 'UTC' : spec.timezone;
  const calendars = (spec.calendars ?? []).map((calendar) => `${cronOf(calendar)} (${zone})`);
  return {
    name,
    id: scheduleId,
    when: [...intervals, ...calendars].join(', '),
    paused: state.paused,
    note: state.note ?? null,
    next: state.paused ? null : (info.nextActionTimes[0]?.toISOString() ?? null),
    last: last?.takenAt.toISOString() ?? null,
    started: info.numActionsTaken,
    skipped: info.numActionsSkippedOverlap + info.numActionsMissedCatchupWindow,
  };
}

/** @returns false when it was paused already. */
export async function pauseSchedule(
  client: Client,
  names: FleetNames,
  name: ScheduleName,
  note: string,
): Promise<boolean> {
  return toggle(scheduleOf(client, names, name), true, (handle) => handle.pause(note));
}

/** @returns false when it was not paused. */
export async function resumeSchedule(
  client: Client,
  names: FleetNames,
  name: ScheduleName,
  note: string,
): Promise<boolean> {
  return toggle(scheduleOf(client, names, name), false, (handle) => handle.unpause(note));
}

/** A schedule of the fleet, by what it starts. */
interface NamedSchedule {
  readonly name: ScheduleName;
  readonly handle: ScheduleHandle;
}

function scheduleOf(client: Client, { schedules }: FleetNames, name: ScheduleName): NamedSchedule {
  return { name, handle: client.schedule.getHandle(schedules[name]) };
}

async function toggle(
  { name, handle }: NamedSchedule,
  paused: boolean,
  act: (handle: ScheduleHandle) => Promise<void>,
): Promise<boolean> {
  return withSchedule(name, async () => {
    if ((await handle.describe()).state.paused === paused) return false;
    await act(handle);
    return true;
  });
}

/**
 * Start its workflow now, also while it is paused. SKIP holds here too.
 * @returns what became of it; `asked`: the server has not said within ten seconds.
 */
export function triggerSchedule(
  client: Client,
  names: FleetNames,
  name: ScheduleName,
): Promise<'started' | 'skipped' | 'asked'> {
  const { handle } = scheduleOf(client, names, name);
  return withSchedule(name, async () => {
    const { info: before } = await handle.describe();
    await handle.trigger(ScheduleOverlapPolicy.SKIP);
    const outcome = await poll(
      async () => {
        const { info } = await handle.describe();
        if (info.numActionsTaken > before.numActionsTaken) return 'started';
        return info.numActionsSkippedOverlap > before.numActionsSkippedOverlap ? 'skipped' : undefined;
      },
      { everyMillis: TRIGGER_LOOK_MS, timeoutMillis: TRIGGER_WAIT_MS },
    );
    return outcome ?? 'asked';
  });
}

export function deleteSchedule(client: Client, names: FleetNames, name: ScheduleName): Promise<void> {
  const { handle } = scheduleOf(client, names, name);
  return withSchedule(name, () => handle.delete());
}

async function withSchedule<Result>(name: ScheduleName, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof ScheduleNotFoundError)) throw refusalOf(thrown);
    throw new FedloopError('NotFound', `there is no schedule for ${name}`, {
      hint: `Make one: fedloop schedule set ${name} --every 10m`,
      cause: thrown,
    });
  }
}
