import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  ServiceError,
  type Client,
  type ScheduleHandle,
  type ScheduleOptions,
  type ScheduleSpec,
} from '@temporalio/client';
import { type z } from 'zod';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { SCHEDULE_NAMES, type FleetNames, type ScheduleName } from '../../core/contracts/queues';
import { batchAnalyticsInputSchema, federatedRoundInputSchema } from '../../core/contracts/rounds';
import { durationMillis } from '../../core/contracts/settings';
import { parseOrThrow } from '../../core/contracts/validation';
import { hasGrpcStatus } from '../../workers/grpc-status';
import { span } from '../shared/format';

/** The workflow that a schedule starts, by the schedule's name. */
const ACTIONS: Readonly<Record<ScheduleName, { readonly workflow: string; readonly input: z.ZodType }>> = {
  rounds: { workflow: 'federatedRound', input: federatedRoundInputSchema },
  batch: { workflow: 'batchAnalytics', input: batchAnalyticsInputSchema },
};

/** A shorter interval would only skip runs: a round takes seconds at least. */
const MIN_INTERVAL_MS = 1_000;

/** When and how a schedule starts its workflow: the options of `fedloop schedule set`. */
export interface Timing {
  readonly every?: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly jitter: string;
  readonly catchUp: string;
  readonly pauseOnFailure: boolean;
  readonly note?: string;
}

/** What a schedule starts, when, and with which input. */
export interface ScheduleSetting {
  readonly name: ScheduleName;
  readonly timing: Timing;
  readonly input: unknown;
}

/** One line of `fedloop schedule list`. */
export interface ScheduleLine {
  readonly name: ScheduleName;
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
 * Create the schedule, or change the existing one, which keeps its id and stays paused if it was.
 * @throws FedloopError `InvalidInput` for an invalid time or input.
 */
export async function setSchedule(
  client: Client,
  names: FleetNames,
  { name, timing, input }: ScheduleSetting,
): Promise<'made' | 'changed'> {
  const options = scheduleOptions(names, { name, timing, input });
  try {
    await client.schedule.create({ ...options, state: { note: noteOf(timing) } });
    return 'made';
  } catch (thrown) {
    if (!(thrown instanceof ScheduleAlreadyRunning)) throw asFedloopError(thrown);
  }
  const { action, policies, spec } = options;
  await withSchedule(name, () =>
    client.schedule.getHandle(options.scheduleId).update(({ state }) => ({
      action,
      spec,
      ...(policies === undefined ? {} : { policies }),
      state: { paused: state.paused, note: noteOf(timing) },
    })),
  );
  return 'changed';
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

function specOf({ every, cron, timezone, jitter }: Timing): ScheduleSpec {
  if ((every === undefined) === (cron === undefined))
    throw new FedloopError('InvalidInput', 'give --every or --cron, one of the two');
  const common = { jitter: durationMillis(jitter), ...(timezone === undefined ? {} : { timezone }) };
  if (cron !== undefined) return { ...common, cronExpressions: [cron] };
  const millis = durationMillis(every ?? '');
  if (millis < MIN_INTERVAL_MS) throw new FedloopError('InvalidInput', '--every must be at least a second');
  return { ...common, intervals: [{ every: millis }] };
}

function whenOf({ every, cron, timezone }: Timing): string {
  return every === undefined
    ? `at ${cron ?? ''}${timezone === undefined ? ' (UTC)' : ` (${timezone})`}`
    : `every ${every}`;
}

function noteOf(timing: Timing): string {
  return timing.note ?? `${whenOf(timing)}, set by fedloop schedule`;
}

/** The fleet's schedules that the namespace has. */
export async function listSchedules(client: Client, { schedules }: FleetNames): Promise<readonly ScheduleLine[]> {
  const lines = await Promise.all(
    SCHEDULE_NAMES.map(async (name): Promise<readonly ScheduleLine[]> => {
      try {
        return [await describe(client.schedule.getHandle(schedules[name]), name)];
      } catch (thrown) {
        if (thrown instanceof ScheduleNotFoundError) return [];
        throw thrown;
      }
    }),
  );
  return lines.flat();
}

async function describe(handle: ScheduleHandle, name: ScheduleName): Promise<ScheduleLine> {
  const { spec, state, info } = await handle.describe();
  const last = info.recentActions.at(-1);
  const intervals = (spec.intervals ?? []).map(({ every }) => `every ${span(every / 1_000)}`);
  // The server returns cron expressions as calendars, with the text as their comment where it keeps it.
  const calendars = (spec.calendars ?? []).map(({ comment }) => comment ?? 'by calendar');
  return {
    name,
    id: handle.scheduleId,
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

/** Start its workflow now. SKIP holds here too. */
export function triggerSchedule(client: Client, names: FleetNames, name: ScheduleName): Promise<void> {
  const { handle } = scheduleOf(client, names, name);
  return withSchedule(name, () => handle.trigger(ScheduleOverlapPolicy.SKIP));
}

export function deleteSchedule(client: Client, names: FleetNames, name: ScheduleName): Promise<void> {
  const { handle } = scheduleOf(client, names, name);
  return withSchedule(name, () => handle.delete());
}

async function withSchedule<Result>(name: ScheduleName, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof ScheduleNotFoundError)) throw asFedloopError(thrown);
    throw new FedloopError('NotFound', `there is no schedule for ${name}`, {
      hint: `Make one: fedloop schedule set ${name} --every 10m`,
      cause: thrown,
    });
  }
}

function asFedloopError(thrown: unknown): unknown {
  // The SDK parses cron expressions before it calls the server.
  if (thrown instanceof TypeError || thrown instanceof RangeError)
    return new FedloopError('InvalidInput', `Temporal refuses the schedule: ${thrown.message}`, {
      cause: thrown,
    });
  const cause: unknown = thrown instanceof ServiceError ? thrown.cause : undefined;
  // The server has read the request and refuses it, such as a cron expression that is none.
  if (!hasGrpcStatus(cause, 'invalidArgument')) return thrown;
  const details = 'details' in cause && typeof cause.details === 'string' ? cause.details : messageOf(cause);
  return new FedloopError('InvalidInput', `Temporal refuses the schedule: ${details}`, { cause });
}
