import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import {
  deleteSchedule,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
  setSchedule,
  triggerSchedule,
  type ScheduleSet,
} from '../../cli/temporal/schedules';
import { type Timing } from '../../cli/temporal/schedule-timing';
import { connectTemporal } from '../../cli/servers/temporal-client';
import { NAMES } from '../support/names';

jest.setTimeout(60_000);

const EVERY_HOUR: Timing = { every: '1h', jitter: '5s', catchUp: '10m', pauseOnFailure: true };

let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  client = new Client({ connection, namespace: process.env['TEMPORAL_NAMESPACE'] ?? 'default' });
});
afterEach(async () => {
  for (const name of ['rounds', 'batch'] as const)
    await deleteSchedule(client, NAMES, name).catch(() => undefined);
  for await (const { scheduleId } of client.schedule.list())
    if (scheduleId.startsWith('by-hand'))
      await client.schedule
        .getHandle(scheduleId)
        .delete()
        .catch(() => undefined);
  for await (const { workflowId, status } of client.workflow.list())
    if (status.name === 'RUNNING' && workflowId.includes('scheduled'))
      await client.workflow.getHandle(workflowId).terminate();
});
afterAll(() => connection.close());

const described = (
  name: 'rounds' | 'batch',
): ReturnType<ReturnType<Client['schedule']['getHandle']>['describe']> =>
  client.schedule.getHandle(NAMES.schedules[name]).describe();

const set = (name: 'rounds' | 'batch', timing: Timing, input?: unknown): Promise<ScheduleSet> =>
  setSchedule(client, NAMES, { name, timing, input });

describe('a schedule', () => {
  it('starts rounds under a stable id, skips overlaps, and pauses on failure', async () => {
    const made = await set('rounds', EVERY_HOUR, { participants: 20 });
    expect(made).toEqual({ done: 'made', paused: false, missedStarts: [] });
    const { action, policies, spec, state } = await described('rounds');
    expect(action).toMatchObject({
      workflowType: 'federatedRound',
      taskQueue: 'fedloop-rounds',
      args: [{ participants: 20 }],
    });
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 600_000, pauseOnFailure: true });
    expect(spec.intervals).toMatchObject([{ every: 3_600_000 }]);
    expect(Number(spec.jitter)).toBe(5_000);
    expect(state.note).toBe('every 1h, set by fedloop schedule');
  });

  it('that exists is changed in place, and stays paused for the reason that it was paused for', async () => {
    await set('rounds', EVERY_HOUR);
    expect(await pauseSchedule(client, NAMES, 'rounds', 'maintenance')).toBe(true);
    const changed = { ...EVERY_HOUR, every: '2h' };
    expect(await set('rounds', changed)).toMatchObject({ done: 'changed', paused: true });
    const { spec, state } = await described('rounds');
    expect(spec.intervals).toMatchObject([{ every: 7_200_000 }]);
    expect(state).toMatchObject({ paused: true, note: 'maintenance' });
    await set('rounds', { ...changed, note: 'less often' });
    expect((await described('rounds')).state).toMatchObject({ paused: true, note: 'less often' });
  });

  it('by a calendar is listed with its cron expression and zone, and says which starts the clocks leave out', async () => {
    const { missedStarts } = await set('batch', {
      cron: '30 2 * * *',
      timezone: 'Europe/Zurich',
      catchUp: '10m',
      pauseOnFailure: true,
    });
    expect(missedStarts).toEqual([{ date: expect.stringMatching(/^20\d\d-03-/) as string, time: '02:30' }]);
    expect((await listSchedules(client, NAMES))[0]?.when).toBe('30 2 * * * (Europe/Zurich)');
  });

  it('that a person made in Temporal’s UI is listed by its id', async () => {
    const scheduleId = `by-hand-${randomUUID()}`;
    const of = (taskQueue: string, id: string) =>
      client.schedule.create({
        scheduleId: id,
        spec: { intervals: [{ every: '2h' }] },
        action: { type: 'startWorkflow', workflowType: 'federatedRound', taskQueue, args: [] },
      });
    await of(NAMES.roundsQueue, scheduleId);
    await of('of-somebody-else', `${scheduleId}-other`);
    // Temporal's list of schedules follows within seconds.
    let lines = await listSchedules(client, NAMES);
    while (!lines.some(({ id }) => id === scheduleId)) lines = await listSchedules(client, NAMES);
    expect(lines).toMatchObject([{ name: null, id: scheduleId, when: 'every 2 h' }]);
  });

  it('is listed with its next start, held, let go, started at once and deleted', async () => {
    await set('batch', { ...EVERY_HOUR, every: undefined as never, cron: '0 3 * * *' });
    const [line] = await listSchedules(client, NAMES);
    expect(line).toMatchObject({ name: 'batch', paused: false, started: 0 });
    expect(line?.next).toMatch(/T03:00:0/);
    expect(await pauseSchedule(client, NAMES, 'batch', 'why')).toBe(true);
    expect(await pauseSchedule(client, NAMES, 'batch', 'why')).toBe(false);
    expect((await listSchedules(client, NAMES))[0]).toMatchObject({ paused: true, next: null, note: 'why' });
    expect(await resumeSchedule(client, NAMES, 'batch', 'because')).toBe(true);
    expect(await resumeSchedule(client, NAMES, 'batch', 'because')).toBe(false);
    expect(await triggerSchedule(client, NAMES, 'batch')).toBe('started');
    expect(await triggerSchedule(client, NAMES, 'batch')).toBe('skipped');
    expect((await listSchedules(client, NAMES))[0]).toMatchObject({ started: 1, skipped: 1 });
    await deleteSchedule(client, NAMES, 'batch');
    expect(await listSchedules(client, NAMES)).toEqual([]);
  });

  it.each([
    [{ ...EVERY_HOUR, cron: '* * * * *' }, {}, 'give --every or --cron'],
    [{ ...EVERY_HOUR, every: '10ms' }, {}, '--every must be at least a second'],
    [{ ...EVERY_HOUR, jitter: '1h' }, {}, '--jitter must be shorter than --every'],
    [{ ...EVERY_HOUR, catchUp: '5s' }, {}, '--catch-up must be at least 10 seconds'],
    [{ ...EVERY_HOUR, timezone: 'Europe/Zurich' }, {}, '--timezone belongs to --cron'],
    [EVERY_HOUR, { participant: 1 }, 'did you mean "participants"?'],
    [
      { jitter: '0s', catchUp: '1m', pauseOnFailure: true, cron: 'at noon' },
      {},
      'Temporal refuses the schedule',
    ],
    [
      { jitter: '0s', catchUp: '1m', pauseOnFailure: true, cron: '0 3 31 2 *' },
      {},
      '--cron "0 3 31 2 *" never starts anything',
    ],
  ])('%j with %j is refused and says why', async (timing, input, message) => {
    await expect(set('rounds', timing, input)).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining(message) as string,
    });
    expect(await listSchedules(client, NAMES)).toEqual([]);
  });

  it.each([
    ['paused', () => pauseSchedule(client, NAMES, 'rounds', '')],
    ['resumed', () => resumeSchedule(client, NAMES, 'rounds', '')],
    ['triggered', () => triggerSchedule(client, NAMES, 'rounds')],
    ['deleted', () => deleteSchedule(client, NAMES, 'rounds')],
  ])('that is not there cannot be %s, and the error says how to make one', async (_, work) => {
    await expect(work()).rejects.toMatchObject({
      code: 'NotFound',
      hint: expect.stringContaining('fedloop schedule set rounds') as string,
    });
  });
});

it('a namespace that is not there is named', async () => {
  const namespace = `nowhere-${randomUUID().slice(0, 8)}`;
  await expect(connectTemporal({ ...process.env, TEMPORAL_NAMESPACE: namespace })).rejects.toMatchObject({
    code: 'InvalidConfig',
    message: expect.stringContaining(`has no namespace ${namespace}`) as string,
  });
});
