import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  Client,
  Connection,
  WorkflowFailedError,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { z } from 'zod';
import { federatedRoundResultSchema } from '../../core/contracts/rounds';
import { siteNameSchema, versionIdSchema, type VersionId } from '../../core/contracts/ids';
import { TOPICS } from '../../core/contracts/topics';
import { describeDashboards, type WatchedSystem } from '../support/dashboard-specs';
import { selectionMessageSchema, updateKey, type UpdateHeader } from '../../core/contracts/updates';
import { parameterCount } from '../../core/model/types';
import { summarySchema, type Summary } from '../../cli/results/summary-schema';
import { encodeFrame } from '../../core/platform/frames';
import { testDeployment } from '../support/deployment';
import { runFedloop, type CommandResult } from '../support/run-fedloop';
import { startTraceReceiver, type ReceivedSpan, type TraceReceiver } from '../support/trace-receiver';
import { withoutSharedServers } from '../support/system-processes';
import { SHAPE } from '../support/task';
import { NAMES } from '../support/names';

/**
 * The whole system, small: one `fedloop demo --stay` with 60 devices and 2 rounds on servers of its own, looked at from
 * outside as its users do.
 */
const FEDLOOP = resolve(__dirname, '../../bin/fedloop.js');
const DATA = resolve(__dirname, '../../data/weather');
const DEVICES = 60;
const ROUNDS = 2;
/** Times the wall clock: a window closes each second, so that Prometheus, which looks every two, sees things move on any machine. */
const SPEED = '30';
const DEMO_TIMEOUT_MS = 300_000;
/** Workers hold their spans until they stop. */
const TRACES = {
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hush',
  OTEL_BSP_SCHEDULE_DELAY: '3600000',
};

// Each question is a process of its own, and CI's two cores are busy with a whole system.
jest.setTimeout(60_000);

const runningSchema = z.object({
  runFolder: z.string(),
  kafka: z.object({ brokers: z.string(), topicPrefix: z.string() }),
  temporal: z.object({ address: z.string(), namespace: z.string() }),
  startedAt: z.iso.datetime(),
  prometheusUrl: z.string().nullable(),
  workers: z.array(z.object({ role: z.string(), url: z.string() })),
});

let folder: string;
let env: NodeJS.ProcessEnv;
let demo: ChildProcess;
let said = '';
let summary: Summary;
let temporal: Client;
let connection: Connection;
let brokers: string;
let topicPrefix: string;
let watched: WatchedSystem;
let traces: TraceReceiver;

beforeAll(async () => {
  traces = await startTraceReceiver();
  folder = await mkdtemp(join(tmpdir(), 'fedloop-loop-'));
  // It brings up servers of its own, as a person's first command does.
  env = withoutSharedServers();
  demo = spawn(
    process.execPath,
    [
      FEDLOOP,
      'demo',
      '--stay',
      '--json',
      '--devices',
      String(DEVICES),
      '--rounds',
      String(ROUNDS),
      '--windows',
      '3',
      '--speed',
      SPEED,
      '--data',
      DATA,
    ],
    {
      cwd: folder,
      env: { ...env, ...TRACES, OTEL_EXPORTER_OTLP_ENDPOINT: traces.endpoint },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let printed = '';
  demo.stdout?.on('data', (text: Buffer) => (printed += text.toString()));
  demo.stderr?.on('data', (text: Buffer) => (said += text.toString()));
  const ended = new Promise<never>((_, reject) => {
    demo.once('exit', (code) => {
      reject(new Error(`the demo ended with ${code}:\n${said}`));
    });
  });
  ended.catch(() => undefined);
  const stays = (async () => {
    while (!said.includes('stays up')) await new Promise((wake) => setTimeout(wake, 100));
  })();
  await Promise.race([stays, ended]);
  summary = summarySchema.parse(JSON.parse(printed));
  const running = runningSchema.parse(
    JSON.parse(await readFile(join(folder, '.fedloop', 'running.json'), 'utf8')),
  );
  ({ brokers, topicPrefix } = running.kafka);
  watched = {
    prometheusUrl: running.prometheusUrl ?? '',
    startedAt: Math.floor(Date.parse(running.startedAt) / 1_000),
    workers: running.workers,
    rounds: ROUNDS,
    sql,
    fedloop,
  };
  connection = await Connection.connect({ address: running.temporal.address });
  temporal = new Client({ connection, namespace: running.temporal.namespace });
}, DEMO_TIMEOUT_MS);

afterAll(async () => {
  await connection.close();
  await stopDemo();
  await traces.close();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function stopDemo(): Promise<void> {
  if (demo.exitCode !== null) return;
  demo.kill('SIGINT');
  await new Promise((done) => demo.once('exit', done));
}

/** What `fedloop sql` answers, as a user would ask it. */
async function sql<Row extends z.ZodType>(row: Row, question: string): Promise<z.infer<Row>[]> {
  const { code, out, err } = await fedloop('sql', question, '--json');
  if (code !== 0) throw new Error(err);
  return z.array(row).parse(JSON.parse(out));
}

function fedloop(...words: string[]): Promise<CommandResult> {
  return runFedloop(words, { cwd: folder, env });
}

describe('the loop', () => {
  it('ends with a version a round, each judged on three live windows of the fleet', async () => {
    expect(summary.rounds.map(({ version }) => version)).toEqual(['v1', 'v2']);
    const windows = await sql(
      z.object({ model_version: z.string(), windows: z.number(), rows: z.number() }),
      `SELECT model_version, count(DISTINCT window_start)::INT AS windows, count(*)::INT AS rows
       FROM model_evaluations WHERE model_version IN ('v1', 'v2') GROUP BY ALL ORDER BY ALL`,
    );
    for (const { windows: count, rows } of windows) {
      expect(count).toBeGreaterThanOrEqual(3);
      // A few devices have gaps in their recorded series; nearly all must be there.
      expect(rows).toBeGreaterThan(0.9 * 3 * DEVICES);
    }
  });

  it('reports exactly what the rows of each round say', async () => {
    const counted = await sql(
      z.object({ round: z.number(), evaluations: z.number(), accuracy: z.number(), paired: z.number() }),
      `SELECT round, count(*)::INT AS evaluations,
              count(*) FILTER (WHERE abs(own.prediction_result - own.actual_result) <= 1) / count(*) AS accuracy,
              (count(*) FILTER (WHERE abs(own.prediction_result - own.actual_result) <= 1)
               - count(*) FILTER (WHERE abs(other.prediction_result - other.actual_result) <= 1)) / count(*) AS paired
       FROM federated_rounds AS rounds
       JOIN model_evaluations AS own ON own.model_version = rounds.model_version
            AND own.window_start BETWEEN rounds.window_from AND rounds.window_until
       JOIN model_evaluations AS other ON other.model_version = rounds.champion
            AND other.device_id = own.device_id AND other.window_start = own.window_start
       GROUP BY round ORDER BY round`,
    );
    const rounds = await sql(
      z.object({
        round: z.number(),
        evaluations: z.number(),
        accuracy: z.number(),
        paired_change: z.number(),
      }),
      'SELECT round, evaluations::INT AS evaluations, accuracy, paired_change FROM federated_rounds ORDER BY round',
    );
    expect(rounds.map(({ round, evaluations }) => ({ round, evaluations }))).toEqual(
      counted.map(({ round, evaluations }) => ({ round, evaluations })),
    );
    rounds.forEach((round, index) => {
      expect(round.accuracy).toBeCloseTo(counted[index]!.accuracy, 12);
      expect(round.paired_change).toBeCloseTo(counted[index]!.paired, 12);
    });
  });

  it('measures what each device brought, which adds up by the shares of the updates that were used', async () => {
    const counted = await sql(
      z.object({
        round: z.number(),
        devices: z.number(),
        used: z.number(),
        off: z.number(),
        rest: z.number(),
      }),
      `WITH shares AS (SELECT round, count(*) AS used FROM round_local_models WHERE left_out IS NULL GROUP BY round)
       SELECT round, count(*)::INT AS devices, any_value(used)::INT AS used, max(abs(weight - 1 / used)) AS off,
              abs(sum((1 - 1 / used) * soft_contribution)) / sum(abs(soft_contribution)) AS rest
       FROM contributions JOIN shares USING (round) WHERE device_id IS NOT NULL GROUP BY round ORDER BY round`,
    );
    expect(counted.map(({ round }) => round)).toEqual([1, 2]);
    for (const { devices, used, off, rest } of counted) {
      expect(devices).toBe(used);
      expect(off).toBeLessThan(1e-6);
      expect(rest).toBeLessThan(1e-6);
    }
    expect(summary.contribution?.lastRound?.round).toBe(2);
  });

  it('has nothing in its summary but what the contract names', async () => {
    const path = join(folder, 'runs', summary.run, 'summary.json');
    const written: unknown = JSON.parse(await readFile(path, 'utf8'));
    expect(summarySchema.parse(written)).toEqual(written);
    expect(written).toEqual(summary);
  });

  it('has in its summary what `fedloop sql` says of the windows that it counts, whatever closed since', async () => {
    for (const { version, accuracy, evaluations, accuracyCi95 } of summary.rounds) {
      const [row] = await sql(
        z.object({ evaluations: z.number(), accuracy: z.number() }),
        `SELECT count(*)::INT AS evaluations, avg(is_correct::INT) AS accuracy FROM model_evaluations
         WHERE model_version = '${version}' AND window_start <= TIMESTAMPTZ '${summary.latestWindow}' AT TIME ZONE 'UTC'`,
      );
      expect({ version, evaluations }).toEqual({ version, evaluations: row!.evaluations });
      expect(accuracy).toBeCloseTo(row!.accuracy, 9);
      expect(accuracyCi95![0]).toBeLessThanOrEqual(accuracy!);
      expect(accuracyCi95![1]).toBeGreaterThanOrEqual(accuracy!);
    }
  });

  it('scores no version on a window that began before its deployment was read', async () => {
    const [row] = await sql(
      z.object({ too_early: z.number() }),
      `SELECT count(*)::INT AS too_early FROM model_evaluations AS rows
       JOIN (SELECT model_version, min(from_window) AS from_window FROM stream_activations GROUP BY ALL) USING (model_version)
       WHERE rows.window_start < from_window`,
    );
    expect(row).toEqual({ too_early: 0 });
  });

  it('records what feedback changed in the second round', async () => {
    const [row] = await sql(
      z.object({ feedback_used: z.string() }),
      'SELECT feedback_used::VARCHAR AS feedback_used FROM federated_rounds WHERE round = 2',
    );
    const used = z.record(z.string(), z.unknown()).parse(JSON.parse(row!.feedback_used));
    expect(used['champion']).toBe(summary.rounds[0]!.decision === 'promoted' ? 'v1' : 'v0');
    expect(typeof used['champion_accuracy']).toBe('number');
  });

  it('keeps what local models say of themselves beside what they are worth', async () => {
    const rows = await sql(
      z.object({ device_id: z.string(), self_reported_accuracy: z.number(), real_accuracy: z.number() }),
      `SELECT device_id, self_reported_accuracy, real_accuracy FROM local_models
       WHERE round = 1 AND self_reported_accuracy IS NOT NULL AND real_accuracy IS NOT NULL`,
    );
    expect(rows.length).toBeGreaterThan(DEVICES / 2);
  });

  it('counted the processed files once for every device, day and sensor', async () => {
    const [row] = await sql(
      z.object({ devices: z.number(), least: z.number() }),
      'SELECT count(DISTINCT device_id)::INT AS devices, min(count)::INT AS least FROM batch_analysis_results',
    );
    expect(row!.devices).toBe(DEVICES);
    expect(row!.least).toBeGreaterThan(0);
  });
});

describe('the loop on a screen', () => {
  describeDashboards(() => watched);
});

describe('events that are none', () => {
  const MALFORMED = [
    '',
    '{"device_id": "x"',
    '{"device_id": "x", "timestamp": "yesterday", "temperature": 1}',
  ];

  it('are kept with their reason, and the stream goes on', async () => {
    const { kafka } = await testDeployment({ KAFKA_BROKERS: brokers, FEDLOOP_TOPIC_PREFIX: topicPrefix });
    const producer = await kafka.producer();
    await producer.send(
      TOPICS.stream.name,
      MALFORMED.map((value) => ({ key: 'x', value })),
    );
    await producer.disconnect();
    await kafka.disconnect();
    const malformed = z.object({ n: z.number() });
    const count = async (): Promise<number> =>
      (await sql(malformed, "SELECT count(*)::INT AS n FROM rejected_rows WHERE reason = 'malformed'"))[0]
        ?.n ?? 0;
    // Asked until they are there: what matters is that nothing is lost, not how soon it is told.
    while ((await count()) < MALFORMED.length) await new Promise((wake) => setTimeout(wake, 200));
    expect(await count()).toBe(MALFORMED.length);
  });
});

describe('a round started by hand', () => {
  const start = (id: string, ...args: unknown[]): Promise<unknown> =>
    temporal.workflow.execute('federatedRound', { workflowId: id, taskQueue: NAMES.roundsQueue, args });

  it(
    'works from an empty box',
    async () => {
      const result = federatedRoundResultSchema.parse(await start('by-hand-empty'));
      expect(result.round).toBe(ROUNDS + 1);
      expect(result.candidate.evaluations).toBeGreaterThan(0);
    },
    DEMO_TIMEOUT_MS,
  );

  it(
    'trains as many devices as its input says',
    async () => {
      const result = federatedRoundResultSchema.parse(
        await start('by-hand-twenty', { participants: 20, windows: 3 }),
      );
      const leftOut = Object.values(result.updates.leftOut).reduce((sum, count) => sum + count, 0);
      expect(result.updates.used + leftOut).toBe(20);
    },
    DEMO_TIMEOUT_MS,
  );

  it.each([
    [{ participants: -3 }, 'participants: must be "all" or a whole number of at least 1'],
    [{ participant: 20 }, 'unknown field "participant" (did you mean "participants"?)'],
    [{ participants: 1_000 }, 'participants: 1000 asked for'],
    [{ strategy: 'magic' }, 'unknown strategy "magic"'],
    ['nonsense', 'the input is not valid'],
  ])('fails at once on %j and names the field', async (input, message) => {
    const failure = await start(`by-hand-${JSON.stringify(input)}`, input).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    const messages: string[] = [];
    for (let cause: unknown = failure; cause instanceof Error; cause = cause.cause)
      messages.push(cause.message);
    expect(messages.join(' | ')).toContain(message);
  });
});

/** The version that serves, as the tables have it. */
async function champion(): Promise<string> {
  const [row] = await sql(
    z.object({ model_version: z.string() }),
    "SELECT model_version FROM model_versions WHERE stage = 'champion'",
  );
  return row!.model_version;
}

/** The network that a round trains from: the champion, or the one beside it where that is linear. */
async function trainedBase(): Promise<VersionId> {
  const [row] = await sql(
    z.object({ version: versionIdSchema }),
    `SELECT coalesce(beside.model_version, serving.model_version) AS version
     FROM model_versions AS serving
     LEFT JOIN model_versions AS beside ON beside.round = serving.round AND beside.role = serving.network
     WHERE serving.stage = 'champion'`,
  );
  return row!.version;
}

describe('a round in which senders do everything wrong', () => {
  const PARAMETERS = parameterCount(SHAPE);
  /** Long enough for the bad updates to come while the good ones are still being made. */
  const SLOW_TRAINING = { epochs: 200 };

  it(
    'leaves each bad update out with its reason, and goes on with the good ones',
    async () => {
      const base_version = await trainedBase();
      const { kafka } = await testDeployment({ KAFKA_BROKERS: brokers, FEDLOOP_TOPIC_PREFIX: topicPrefix });
      const producer = await kafka.producer();
      const misbehave = async (
        round: number,
        attempt: string,
        [one = '', two = '', three = '', four = '']: readonly string[],
      ): Promise<void> => {
        const site = siteNameSchema.parse('main');
        const bad = (device_id: string, numbers: Float32Array, about: Partial<UpdateHeader> = {}) => ({
          key: updateKey('update', round, site, 999),
          value: encodeFrame(
            {
              type: 'update',
              round,
              attempt,
              site,
              chunk: 999,
              base_version,
              parameters: PARAMETERS,
              devices: [
                { device_id, rows: 50, self_reported_accuracy: 1, self_reported_loss: 0, base_loss: 1 },
              ],
              left_out: [],
              ...about,
            } satisfies UpdateHeader,
            numbers,
          ),
        });
        const zeros = new Float32Array(PARAMETERS);
        await producer.send(TOPICS.updates.name, [
          bad('stranger', zeros),
          bad(
            one,
            zeros.map(() => NaN),
          ),
          bad(two, zeros.subarray(1)),
          bad(three, zeros, { round: round + 7 }),
          bad(three, zeros, { attempt: 'another' }),
          // The site's own update of this device comes as well: one of the two is one too many.
          bad(four, zeros),
          { key: updateKey('update', round, site, 999), value: Buffer.from('no frame') },
        ]);
      };
      let misbehaved: Promise<void> | undefined;
      const tail = await kafka.tail({
        topic: TOPICS.updates.name,
        from: 'end',
        onRecords(records) {
          for (const { key, value } of records) {
            if (key?.toString().startsWith('selection/') !== true || misbehaved !== undefined) continue;
            const { round, attempt, device_id } = selectionMessageSchema.parse(
              JSON.parse(value?.toString() ?? ''),
            );
            misbehaved = misbehave(round, attempt, device_id);
          }
        },
      });
      await tail.caughtUp;
      const result = federatedRoundResultSchema.parse(
        await temporal.workflow.execute('federatedRound', {
          workflowId: 'with-bad-senders',
          taskQueue: NAMES.roundsQueue,
          args: [{ participants: 20, windows: 3, training: SLOW_TRAINING }],
        }),
      );
      await misbehaved;
      await tail.close();
      await producer.disconnect();
      await kafka.disconnect();
      const expected = {
        'not-finite': 1,
        'not-selected': 1,
        'sent-twice': 1,
        unreadable: 1,
        'wrong-round': 2,
        'wrong-shape': 1,
      };
      expect(result.updates.leftOut).toMatchObject(expected);
      // A device may have gaps in its own series; nobody falls out because of the others.
      expect(result.updates.trained).toBeGreaterThanOrEqual(18);
      const rows = await sql(
        z.object({ reason: z.string(), copies: z.number() }),
        `SELECT reason, sum(copies)::INT AS copies FROM left_out_updates WHERE round = ${result.round} GROUP BY reason`,
      );
      expect(Object.fromEntries(rows.map(({ reason, copies }) => [reason, copies]))).toMatchObject(expected);
    },
    DEMO_TIMEOUT_MS,
  );

  it(
    'fails when it has too few good ones, says so, and leaves the champion',
    async () => {
      const before = await champion();
      const failure = await temporal.workflow
        .execute('federatedRound', {
          workflowId: 'with-too-few',
          taskQueue: NAMES.roundsQueue,
          args: [{ participants: 20, minUpdates: 21 }],
        })
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      const messages: string[] = [];
      for (let cause: unknown = failure; cause instanceof Error; cause = cause.cause)
        messages.push(cause.message);
      expect(messages.join(' | ')).toContain('good updates but needs 21');
      expect(await champion()).toBe(before);
    },
    DEMO_TIMEOUT_MS,
  );
});

describe('the registry', () => {
  const changed = z.object({ champion: z.string(), previous: z.string() });

  it('rolls the champion back at a person’s word, and brings it back at another', async () => {
    const serving = await champion();
    const back = await fedloop('models', 'rollback', '--reason', 'odd spikes', '--by', 'ada', '--json');
    const { champion: predecessor, previous } = changed.parse(JSON.parse(back.out));
    expect(previous).toBe(serving);
    const latest = async (): Promise<string> => {
      const { runFolder } = runningSchema.parse(
        JSON.parse(await readFile(join(folder, '.fedloop', 'running.json'), 'utf8')),
      );
      const metadata = join(runFolder, 'models', 'global', 'latest_model', 'metadata.json');
      return z.object({ version: z.string() }).parse(JSON.parse(await readFile(metadata, 'utf8'))).version;
    };
    expect(await latest()).toBe(predecessor);
    const promoted = await fedloop(
      'models',
      'promote',
      serving,
      '--reason',
      'the sensors were at fault',
      '--json',
    );
    expect(changed.parse(JSON.parse(promoted.out))).toEqual({ champion: serving, previous: predecessor });
    expect(await latest()).toBe(serving);
    const shown = z
      .object({ stages: z.array(z.object({ stage: z.string(), by: z.string(), reason: z.string() })) })
      .parse(JSON.parse((await fedloop('models', 'show', serving, '--json')).out));
    expect(shown.stages.slice(-2)).toMatchObject([
      { stage: 'rolled-back', by: 'ada', reason: 'odd spikes' },
      { stage: 'champion', reason: 'the sensors were at fault' },
    ]);
  });
});

/** The last group: its spans come when the system stops. */
describe('what is told to a receiver of traces', () => {
  const spansOf = (isWanted: (span: ReceivedSpan) => boolean): readonly ReceivedSpan[] =>
    traces.spans().filter(isWanted);
  const distinct = (values: readonly unknown[]): readonly unknown[] => [...new Set(values)].sort();
  /** Workers that run activities. */
  const ROLES = ['analytics', 'rounds', 'site', 'stream'];
  /** STATUS_CODE_ERROR of OTLP. */
  const FAILED = 2;
  let untraced: WorkflowHandleWithFirstExecutionRunId;
  let before: readonly ReceivedSpan[];

  beforeAll(async () => {
    untraced = await temporal.workflow.start('federatedRound', {
      workflowId: NAMES.roundId,
      taskQueue: NAMES.roundsQueue,
      args: [{ participants: 1_000 }],
    });
    await expect(untraced.result()).rejects.toThrow();
    before = traces.spans();
    await stopDemo();
  }, 60_000);

  it('a command tells it what it started once it is done, and workers what they hold when they stop', () => {
    expect(before.map(({ name, service }) => `${String(service)} ${name}`)).toEqual([
      'fedloop StartWorkflow:federatedTraining',
      'fedloop StartWorkflow:batchAnalytics',
    ]);
    expect(distinct(traces.spans().map(({ service }) => service))).toEqual([
      'fedloop',
      ...ROLES.map((role) => `fedloop-${role}`),
    ]);
  });

  it('a worker says that it is traced where it runs activities, and nowhere else', async () => {
    const says = async ({ role }: { readonly role: string }): Promise<readonly string[]> => {
      const log = await readFile(join(folder, 'runs', summary.run, 'logs', `${role}.log`), 'utf8');
      return log.includes('activities are traced') ? [role] : [];
    };
    expect((await Promise.all(watched.workers.map(says))).flat().sort()).toEqual(ROLES);
  });

  it('a training is one trace, with the steps of all its rounds on all workers', () => {
    const [start] = before;
    const trace = spansOf(({ traceId }) => traceId === start?.traceId);
    expect(start).toMatchObject({ attributes: { temporalWorkflowId: NAMES.trainingId } });
    expect(start?.parentSpanId ?? '').toBe('');
    const steps = trace.filter(({ spanId }) => spanId !== start?.spanId);
    expect(distinct(steps.map(({ parentSpanId }) => parentSpanId))).toEqual([start?.spanId]);
    expect(distinct(steps.map(({ service }) => service))).toEqual(
      ['analytics', 'rounds', 'site'].map((role) => `fedloop-${role}`),
    );
    // Each round is a workflow run of its own.
    for (const step of ['trainLocals', 'aggregate', 'evaluate', 'decide']) {
      const runs = steps.filter(({ name }) => name === `RunActivity:${step}`);
      expect(distinct(runs.map(({ attributes }) => attributes['temporalRunId']))).toHaveLength(ROUNDS);
    }
    expect(steps.filter(({ status }) => status.code === FAILED)).toEqual([]);
  });

  it('a round that was started without a trace has one of its own, and its failed step says what kind of failure it was', () => {
    const { firstExecutionRunId: run } = untraced;
    const steps = spansOf(({ attributes }) => attributes['temporalRunId'] === run);
    expect(distinct(steps.map(({ traceId }) => traceId))).toEqual([run.replaceAll('-', '')]);
    const failed = steps.filter(({ status }) => status.code === FAILED);
    expect(failed).toMatchObject([
      {
        name: 'RunActivity:select',
        status: { message: 'InvalidInput' },
        attributes: { 'error.type': 'InvalidInput', temporalAttempt: 1 },
      },
    ]);
  });

  it('nothing of inputs, results, messages and secrets is told', () => {
    const told = traces.bodies.join();
    for (const word of ['asked for', 'participants', 'accuracy', 'hush']) expect(told).not.toContain(word);
  });
});
