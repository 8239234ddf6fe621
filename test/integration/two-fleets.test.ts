import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { Processes } from '../../cli/processes/processes';
import { withTemporal } from '../../cli/servers/temporal-client';
import { agreeOnDeployment } from '../../cli/system/log-settings';
import { startWorker, type WorkerProcess, type WorkerRole } from '../../cli/system/worker-process';
import { deleteSchedule, listSchedules, setSchedule } from '../../cli/temporal/schedules';
import { queryRunningRound } from '../../cli/temporal/rounds-progress';
import { type DeploymentPlan } from '../../core/contracts/deployment-file';
import { fleetNameSchema } from '../../core/contracts/ids';
import { fleetNames } from '../../core/contracts/queues';
import { TOPICS } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { deployedBy } from '../../core/platform/deployment-file';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { runFedloop, type CommandResult } from '../support/run-fedloop';

jest.setTimeout(240_000);

/** Names that no other run on these servers has. */
const RUN = randomUUID().slice(0, 8);
const PUMPS = fleetNames(fleetNameSchema.parse(`pumps-${RUN}`));
const FANS = fleetNames(fleetNameSchema.parse(`fans-${RUN}`));

const fileOf = (fleet: string, rest: string): string =>
  `fleet: ${fleet}\ntarget: {sensor: vibration, unit: mm/s, tolerance: 0.5}\n${rest}`;

let folder: string;
let processes: Processes;
let pumpsFile: string;
let fansFile: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-fleets-'));
  processes = Processes.start();
  pumpsFile = await written('pumps.yaml', fileOf(PUMPS.fleet, 'window: 1m\n'));
  fansFile = await written('fans.yaml', fileOf(FANS.fleet, 'window: 10s\n'));
});
afterAll(async () => {
  await processes.stopAll(5_000);
  await rm(folder, { recursive: true, force: true });
});

async function written(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function environmentOf(file: string): Promise<{ env: NodeJS.ProcessEnv; plan: DeploymentPlan }> {
  const { env, plan } = await deployedBy({ ...process.env, FEDLOOP_CONFIG: file });
  if (plan === undefined) throw new Error(`${file} is no deployment file`);
  return { env, plan };
}

async function connect(file: string): Promise<Kafka> {
  return connectKafka(readEnvironment((await environmentOf(file)).env), 'fedloop-test', silentLogger());
}

function start(role: WorkerRole, file: string): Promise<WorkerProcess> {
  const env = { ...process.env, FEDLOOP_CONFIG: file };
  return startWorker(processes, role, { env, logFolder: join(folder, randomUUID()), cwd: folder });
}

describe('two fleets on one broker and in one namespace', () => {
  beforeAll(async () => {
    await Promise.all([start('rounds', pumpsFile), start('rounds', fansFile)]);
  });

  it('have topics of their own', async () => {
    const [pumps, fans] = await Promise.all([connect(pumpsFile), connect(fansFile)]);
    const producer = await pumps.producer();
    await producer.send(TOPICS.stream.name, [{ key: 'a', value: '{}' }]);
    const sizeOf = async (kafka: Kafka): Promise<number> =>
      (await kafka.offsets(TOPICS.stream.name)).reduce((sum, { low, high }) => sum + high - low, 0);
    expect(await sizeOf(pumps)).toBe(1);
    expect(await sizeOf(fans)).toBe(0);
    await producer.disconnect();
    await Promise.all([pumps.disconnect(), fans.disconnect()]);
  });

  it('run rounds at the same time, each under its own lock', async () => {
    const { env } = await environmentOf(pumpsFile);
    await withTemporal(env, async (client, names) => {
      expect(names.fleet).toBe(PUMPS.fleet);
      const begin = (fleet: typeof PUMPS): Promise<unknown> =>
        client.workflow.start('federatedRound', {
          taskQueue: fleet.roundsQueue,
          workflowId: fleet.byHandId('round', RUN),
          args: [{ workerTimeout: '1m' }],
        });
      await Promise.all([begin(PUMPS), begin(FANS)]);
      try {
        // Both wait for a site worker, which neither fleet has.
        for (const { roundId } of [PUMPS, FANS]) {
          let step: string | undefined;
          while (step !== 'select') step = (await queryRunningRound(client, roundId))?.step;
        }
      } finally {
        for (const fleet of [PUMPS, FANS])
          for (const id of [fleet.byHandId('round', RUN), fleet.roundId])
            await client.workflow
              .getHandle(id)
              .terminate()
              .catch(() => undefined);
      }
    });
  });

  it('have schedules of their own', async () => {
    await withTemporal((await environmentOf(pumpsFile)).env, async (client) => {
      const timing = { every: '1h', jitter: '5s', catchUp: '10m', pauseOnFailure: true };
      await setSchedule(client, PUMPS, { name: 'rounds', timing, input: undefined });
      try {
        expect((await listSchedules(client, PUMPS)).map(({ id }) => id)).toEqual([`pumps-${RUN}-rounds`]);
        expect(await listSchedules(client, FANS)).toEqual([]);
      } finally {
        await deleteSchedule(client, PUMPS, 'rounds');
      }
    });
  });
});

describe('a fleet that runs', () => {
  const other = `other-${RUN}`;

  beforeAll(async () => {
    const { env, plan } = await environmentOf(await written('first.yaml', fileOf(other, 'window: 1m\n')));
    await agreeOnDeployment(env, { plan, onRunning: 'compare' });
  });

  it.each([
    ['another window', fileOf(other, 'window: 30s\n'), 'with window "1m" and not "30s"'],
    ['another watermark', fileOf(other, 'window: 1m\nwatermark: 2m\n'), 'with watermark "1m" and not "2m"'],
    [
      'another range',
      `fleet: ${other}\ntarget: {sensor: vibration, unit: mm/s, tolerance: 0.5, min: 0}\nwindow: 1m\n`,
      'with target.min left out and not 0',
    ],
  ])('refuses %s in one sentence', async (_, text, message) => {
    const { env, plan } = await environmentOf(await written('second.yaml', text));
    await expect(agreeOnDeployment(env, { plan, onRunning: 'compare' })).rejects.toMatchObject({
      code: 'InvalidConfig',
      message: expect.stringContaining(message.replaceAll('"', '')) as string,
    });
  });

  it('refuses a worker whose file says something else', async () => {
    const file = await written('worker.yaml', fileOf(other, 'window: 30s\n'));
    await expect(start('stream', file)).rejects.toThrow(
      `the fleet ${other} runs already, with window 1m and not 30s`,
    );
  });

  it('keeps the tolerance that was measured when it began', async () => {
    const text = fileOf(other, 'window: 1m\n').replace('0.5', 'auto');
    const { env, plan } = await environmentOf(await written('auto.yaml', text));
    const agreed = await agreeOnDeployment(env, { plan, onRunning: 'compare' });
    expect(agreed.task.target.tolerance).toBe(0.5);
  });
});

describe('workers of a new fleet with a file', () => {
  it('wait until the rounds worker has logged its settings', async () => {
    const file = await written('new.yaml', fileOf(`new-${RUN}`, 'window: 1m\n'));
    const first = start('stream', file);
    first.catch(() => undefined);
    const kafka = await connect(file);
    while ((await kafka.partitions(TOPICS.deployments.name)) === undefined);
    await kafka.disconnect();
    await Promise.all([first, start('rounds', file)]);
  });
});

describe('a new fleet whose tolerance is measured', () => {
  const auto = (fleet: string): string =>
    `fleet: ${fleet}\ntarget: {sensor: vibration, missing: [-999]}\nwindow: 1m\n`;
  const noProgress = (): void => undefined;

  it('has the median change from window to window, of what its topic holds', async () => {
    const { env, plan } = await environmentOf(await written('auto.yaml', auto(`auto-${RUN}`)));
    const kafka = await connectKafka(readEnvironment(env), 'fedloop-test', silentLogger());
    await kafka.createTopics([{ name: TOPICS.stream.name, partitions: 2, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    // Means of a device go 0, 0.123, 0, 0.123, …, and one reading in each window is none.
    const events = Array.from({ length: 40 }, (_, minute) =>
      [0, 10].map((second) => ({
        key: 'a',
        value: JSON.stringify({
          device_id: 'a',
          timestamp: new Date(Date.UTC(2026, 0, 1, 0, minute, second)).toISOString(),
          vibration: second === 0 ? 0.123 * (minute % 2) : -999,
        }),
      })),
    );
    await producer.send(TOPICS.stream.name, events.flat());
    const agreed = await agreeOnDeployment(env, { plan, onRunning: 'compare' }, noProgress);
    expect(agreed.task.target.tolerance).toBe(0.12);
    await producer.disconnect();
    await kafka.disconnect();
  });

  it('does not begin while its topic holds too little', async () => {
    const { env, plan } = await environmentOf(await written('none.yaml', auto(`none-${RUN}`)));
    await expect(agreeOnDeployment(env, { plan, onRunning: 'compare' }, noProgress)).rejects.toThrow(
      'the tolerance of vibration cannot be measured: the 0 messages of edge-iiot-stream have 0 changes',
    );
  });

  it('does not begin on a topic that does not exist', async () => {
    const text = `${auto(`lost-${RUN}`)}source: {topic: no.such-${RUN}}\n`;
    const { env, plan } = await environmentOf(await written('lost.yaml', text));
    await expect(agreeOnDeployment(env, { plan, onRunning: 'compare' })).rejects.toThrow(
      `there is no topic no.such-${RUN} to read from`,
    );
  });
});

describe('fedloop up with a deployment file', () => {
  const fleet = `up-${RUN}`;
  const source = `plant-${RUN}`;
  const fileWith = (window: string): string => `
    fleet: ${fleet}
    source: {topic: ${source}, fields: {device_id: /meta/id, timestamp: {path: /ts, unit: s}, vibration: /v/rms}}
    target: {sensor: vibration, unit: mm/s}
    window: ${window}
  `;
  const run = (cwd: string, ...words: readonly string[]): Promise<CommandResult> =>
    runFedloop(words, { cwd, env: process.env });
  let home: string;

  /** Forty minutes of two pumps, in messages of their own; the mean of each goes up and down by 2. */
  async function fillSource(): Promise<void> {
    const kafka = await connectKafka(readEnvironment(), 'fedloop-test', silentLogger());
    await kafka.createTopics([{ name: source, partitions: 2, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    const messages = Array.from({ length: 160 }, (_, quarter) =>
      [1, 2].map((id) => ({
        key: null,
        value: JSON.stringify({
          meta: { id },
          ts: Date.UTC(2026, 0, 1) / 1_000 + 15 * quarter,
          v: { rms: 10 + 2 * (Math.floor(quarter / 4) % 2) },
        }),
      })),
    );
    await producer.send(source, messages.flat());
    await producer.disconnect();
    await kafka.disconnect();
  }

  beforeAll(async () => {
    home = await mkdtemp(join(folder, 'home-'));
    await fillSource();
    await writeFile(join(home, 'fedloop.yaml'), fileWith('1m'));
    expect(await run(home, 'up')).toMatchObject({
      code: 0,
      err: expect.stringContaining('Finding the tolerance: 2 mm/s') as string,
    });
  });
  afterAll(() => run(home, 'down'));

  it('turns the messages of its topic into rows that follow from the log', async () => {
    const rows = async (): Promise<number> => {
      const { out } = await run(
        home,
        'sql',
        '--json',
        'SELECT count(*)::INT AS n FROM stream_analysis_results',
      );
      return z.array(z.object({ n: z.number() })).parse(JSON.parse(out))[0]?.n ?? 0;
    };
    while ((await rows()) === 0);
    expect(await run(home, 'verify')).toMatchObject({ code: 0 });
  });

  it('is found by the other commands of its folder', async () => {
    const status = JSON.parse((await run(home, 'status', '--json')).out) as unknown;
    expect(status).toMatchObject({ system: { fleet, kafka: { topicPrefix: `${fleet}.` } }, silent: [] });
    const wrongFile = await run(home, 'round', 'start', '--config', fansFile);
    expect(wrongFile.err).toContain(`the system that runs in this folder is the fleet ${fleet}`);
    expect(wrongFile.code).toBe(2);
  });

  it('refuses another window from elsewhere', async () => {
    const second = await written('up.yaml', fileWith('30s'));
    const refused = await run(await mkdtemp(join(folder, 'elsewhere-')), 'up', '--config', second);
    expect(refused.err).toContain(`the fleet ${fleet} runs already, with window 1m and not 30s`);
    expect(refused.code).toBe(2);
  });

  it('does not simulate another fleet beside it', async () => {
    const other = await mkdtemp(join(folder, 'other-'));
    const simulated = await run(other, 'up', '--config', pumpsFile, '--fleet');
    expect(simulated.err).toContain('--fleet cannot be given here');
    expect(simulated.code).toBe(2);
  });
});

describe('two systems of one fleet on one broker, each with a Temporal server of its own', () => {
  it('are refused: the second one comes to nothing', async () => {
    const name = `twice-${RUN}`;
    const file = await written('twice.yaml', fileOf(name, 'window: 1m\n'));
    const homes = await Promise.all([0, 1].map(() => mkdtemp(join(folder, 'home-'))));
    const env = {
      ...process.env,
      FEDLOOP_CONFIG: file,
      TEMPORAL_ADDRESS: undefined,
      TEMPORAL_NAMESPACE: undefined,
      TEMPORAL_CONFIG_FILE: undefined,
      FEDLOOP_SESSION_TIMEOUT: '4s',
    };
    const [first = '', second = ''] = homes;
    expect(await runFedloop(['up'], { cwd: first, env })).toMatchObject({ code: 0 });
    const refused = await runFedloop(['up'], { cwd: second, env });
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(
      `the fleet ${name} runs already on this broker, with another Temporal server`,
    );
    expect(await runFedloop(['down'], { cwd: first, env })).toMatchObject({ code: 0 });
    expect(await runFedloop(['up'], { cwd: second, env })).toMatchObject({ code: 0 });
    expect(await runFedloop(['down'], { cwd: second, env })).toMatchObject({ code: 0 });
  });
});
