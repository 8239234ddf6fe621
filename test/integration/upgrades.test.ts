import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { z } from 'zod';
import { signalProcess } from '../../cli/processes/identity';
import { Processes } from '../../cli/processes/processes';
import { withFile } from '../../cli/query/query-file';
import { queryWorker } from '../../cli/query/query-worker';
import { poll } from '../../cli/shared/wait';
import { packageFile } from '../../cli/shared/package-root';
import { runFolder } from '../../cli/system/run-folder';
import { runningSystemSchema, type RunningSystem } from '../../cli/system/running';
import { startWorker } from '../../cli/system/worker-process';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { fleetNames } from '../../core/contracts/queues';
import { decodeModel } from '../../core/model/model-file';
import { openWarehouse } from '../../core/warehouse/database/open';
import { MIGRATIONS } from '../../core/warehouse/database/schema';
import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { runFedloop, type CommandResult } from '../support/run-fedloop';
import { savedRuns, unpackSavedRun, type SavedRun } from '../support/saved-run';
import { withoutSharedServers } from '../support/system-processes';

/** Two servers and five workers on a busy machine, and a round. */
jest.setTimeout(240_000);

/** A new warehouse reads three rounds within seconds. */
const FILLED_MILLIS = 60_000;

/** Of the topic of events, as a new broker is told. */
const PARTITIONS = 4;

/** A quiet partition closes its windows after the idle time-out, 30 s by default. */
const QUIET_MILLIS = 90_000;

/** Tables whose rows follow from the topics alone; columns that say who wrote a row and when are left out. */
const FROM_TOPICS = [
  ['stream_analysis_results', 'epoch'],
  ['evaluation_rows', 'epoch, evaluation_timestamp'],
  ['rejected_rows', 'rejected_at'],
  ['model_versions', 'seed'],
  ['model_stages', 'round'],
  ['local_models', 'attempt'],
] as const;

/** What a warehouse has once it has read all topics. */
const COUNTS = `SELECT (SELECT count(*) FROM evaluation_rows)::INT AS evaluations, (SELECT count(*) FROM stream_analysis_results)::INT AS windows,
  (SELECT count(*) FROM model_stages)::INT AS stages, (SELECT count(*) FROM local_models)::INT AS locals,
  (SELECT count(*) FROM rejected_rows)::INT AS rejects`;

const sumsSchema = z.array(z.object({ round: z.int(), decision: z.string(), evaluations: z.int() }));
const NEWEST = Math.max(...MIGRATIONS.map(({ version }) => version));
const anyRow = z.record(z.string(), z.unknown());
const countSchema = z.tuple([z.object({ n: z.int() })]);

beforeAll(() => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
});

describe.each(savedRuns())('the run that release %s left', (commit) => {
  let folder: string;
  let saved: SavedRun;
  let warehouse: string;
  let system: RunningSystem;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedloop-upgrade-'));
    saved = await unpackSavedRun(commit, folder);
    ({ warehouse } = runFolder(folder, saved.run));
  });
  afterAll(async () => {
    await fedloop('down');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** The program, with servers of its own, beside the run. */
  const fedloop = (...words: string[]): Promise<CommandResult> =>
    runFedloop(words, { cwd: folder, env: { ...withoutSharedServers(), FEDLOOP_SQL_TOKEN: 'off' } });
  const printed = async (...words: string[]): Promise<unknown> => {
    const { code, out, err } = await fedloop(...words);
    expect({ words, code, err: code === 0 ? '' : err }).toEqual({ words, code: 0, err: '' });
    return JSON.parse(out);
  };
  const rowsOf = (sql: string): Promise<unknown> => printed('sql', sql, '--json');

  it('has its tables migrated with every row as it was', async () => {
    await withFile(warehouse, async (query) => {
      for (const { sql, rows } of saved.answers)
        expect({ sql, rows: await query(anyRow, sql) }).toEqual({ sql, rows });
      expect(await query(anyRow, 'SELECT max(version) AS version FROM schema_migrations')).toEqual([
        { version: NEWEST },
      ]);
    });
  });

  it('comes up, and its tables hold what its event log leads to', async () => {
    system = runningSystemSchema.parse(
      await printed('up', '--resume', saved.run, '--fleet', '--devices', String(saved.devices), '--json'),
    );
    const { compared, accounting } = (await printed('verify', '--json')) as VerificationReport;
    expect(compared.model_evaluations).toBeGreaterThan(0);
    expect(accounting.map(({ addsUp }) => addsUp)).toEqual([true, true, true, true]);
  });

  it('goes on with a round that its champion is measured beside', async () => {
    const before = await evaluationsOf('champion');
    expect(before.n).toBeGreaterThan(0);
    const input = JSON.stringify({ windows: 4, gate: { minWindows: 3 }, seed: 2 });
    await printed('round', 'start', '--wait', '--json', '--input', input);
    const rounds = sumsSchema.parse(
      await rowsOf(
        'SELECT round, decision, evaluations::INT AS evaluations FROM federated_rounds ORDER BY round',
      ),
    );
    expect(rounds.map(({ round }) => round)).toEqual([1, 2, 3]);
    // Four windows of every device, less what faults take.
    expect(rounds[2]?.evaluations).toBeGreaterThanOrEqual(3 * saved.devices);
    const [{ n }] = countSchema.parse(
      await rowsOf(
        `SELECT count(*)::INT AS n FROM model_evaluations WHERE model_version = '${before.version}'`,
      ),
    );
    expect(n - before.n).toBeGreaterThanOrEqual(3 * saved.devices);
    const { compared } = (await printed('verify', '--json')) as VerificationReport;
    expect(compared.model_evaluations).toBeGreaterThanOrEqual(before.n + 3 * saved.devices);
  });

  const signalFleet = (signal: NodeJS.Signals): void => {
    const fleet = system.processes.find(({ name }) => name === 'fleet');
    expect(fleet && signalProcess(fleet, signal)).toBe('sent');
  };

  /** Windows of each partition that the stream worker has not closed yet. */
  const openWindows = async (): Promise<readonly number[]> => {
    const url = system.workers.find(({ role }) => role === 'stream')?.url;
    const text = await (await fetch(`${url}/metrics`)).text();
    return [...text.matchAll(/^fedloop_stream_open_windows\{.*\} (\d+)$/gm)].map(([, count]) =>
      Number(count),
    );
  };

  const evaluationsOf = async (stage: string): Promise<{ version: string; n: number }> => {
    const sql = `SELECT model_version AS version, evaluations::INT AS n FROM model_scoreboard WHERE stage = '${stage}'`;
    const [found] = z.tuple([z.object({ version: z.string(), n: z.int() })]).parse(await rowsOf(sql));
    return found;
  };

  it('has its first version exported, and read as a model', async () => {
    const file = join(folder, 'v1.onnx');
    expect((await fedloop('models', 'export', 'v1', '--out', file)).code).toBe(0);
    expect(decodeModel(await readFile(file)).metadata.version).toBe('v1');
  });

  // The server forgets closed workflows, those of a saved run a day after it; `test/replay` has the histories of them all.
  it('has what its server still has of workflows replayed by the code as it is, and its evaluation going on', async () => {
    const connection = await Connection.connect({ address: system.temporal.address ?? '' });
    const client = new Client({ connection, namespace: system.temporal.namespace });
    const workflowBundle = { code: await readFile(packageFile('dist', 'workflow-bundle.js'), 'utf8') };
    const replayed: { readonly workflowId: string; readonly is: string }[] = [];
    for await (const { workflowId, runId, type, status } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
      replayed.push({ workflowId, is: `${type} ${status.name}` });
    }
    await connection.close();
    const rounds = replayed.filter(({ workflowId }) => workflowId === fleetNames(DEFAULT_FLEET).roundId);
    expect(rounds.map(({ is }) => is)).toContain('federatedRound COMPLETED');
    expect(replayed.map(({ is }) => is)).toContain('continuousEvaluation RUNNING');
  });

  it('has closed workflows kept for a week from now on', async () => {
    const connection = await Connection.connect({ address: system.temporal.address ?? '' });
    const { namespace } = system.temporal;
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    await connection.close();
    expect(tsToMs(config?.workflowExecutionRetentionTtl)).toBe(7 * 24 * 60 * 60_000);
  });

  it('fills a new warehouse from its topics with the same rows', async () => {
    const fresh = join(folder, 'fresh.duckdb');
    const processes = Processes.start();
    const { kafka, temporal } = system;
    const worker = await startWorker(processes, 'analytics', {
      env: {
        ...withoutSharedServers(),
        KAFKA_BROKERS: kafka.brokers,
        TEMPORAL_ADDRESS: temporal.address ?? '',
        FEDLOOP_SQL_TOKEN: 'off',
        FEDLOOP_WAREHOUSE: fresh,
        FEDLOOP_PROCESSED: join(folder, 'none'),
      },
      logFolder: folder,
      cwd: folder,
    });
    const counted = queryWorker({ url: worker.url, token: undefined });
    const counts = async (): Promise<{ readonly fresh: unknown; readonly known: unknown }> => ({
      known: await rowsOf(COUNTS),
      fresh: await counted(anyRow, COUNTS),
    });
    // With a fleet that sends, rows would come between two questions. A quiet partition closes all windows but the one that it is in.
    signalFleet('SIGSTOP');
    const quiet = await poll(
      async () => {
        const open = await openWindows();
        return open.every((count) => count <= 1) ? open : undefined;
      },
      { everyMillis: 500, timeoutMillis: QUIET_MILLIS },
    );
    expect(quiet).toHaveLength(PARTITIONS);
    await poll(
      async () => {
        const { fresh: now, known } = await counts();
        return isDeepStrictEqual(now, known) ? true : undefined;
      },
      { everyMillis: 500, timeoutMillis: FILLED_MILLIS },
    );
    const { fresh: filled, known } = await counts();
    expect(filled).toEqual(known);
    await worker.child.stop(10_000);
    signalFleet('SIGCONT');
    await fedloop('down');
    for (const [table, leftOut] of FROM_TOPICS) {
      const sql = `SELECT to_json(kept)::VARCHAR AS line FROM (SELECT * EXCLUDE (${leftOut}) FROM ${table}) AS kept ORDER BY line`;
      const [rows, before] = await Promise.all(
        [fresh, warehouse].map((file) => withFile(file, (query) => query(anyRow, sql))),
      );
      expect({ table, rows }).toEqual({ table, rows: before });
    }
  });
});

it('a warehouse of a newer release is refused, with what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fedloop-newer-'));
  const file = join(folder, 'warehouse.duckdb');
  const warehouse = await openWarehouse(file);
  const connection = await warehouse.connect();
  await connection.run("INSERT INTO schema_migrations VALUES (99, 'of the future')");
  await warehouse.close();
  const env = { ...withoutSharedServers(), FEDLOOP_WAREHOUSE: file };
  const { code, err } = await runFedloop(['sql', 'SELECT 1'], { cwd: folder, env });
  expect(code).toBe(1);
  expect(err).toContain(`has schema 99; this Fedloop knows ${NEWEST} at most`);
  expect(err).toContain('Use the release that wrote the file, or another file.');
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});
