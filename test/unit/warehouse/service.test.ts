import { z } from 'zod';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentSchema } from '../../../core/contracts/config';
import { versionIdSchema } from '../../../core/contracts/ids';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../../core/contracts/settings';
import { TOPICS } from '../../../core/contracts/topics';
import { silentLogger } from '../../../core/platform/log';
import { createMetrics, type Registry } from '../../../core/platform/metrics';
import { forgetLogs } from '../../../core/warehouse/database/identity';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { TRUSTED } from '../../../core/warehouse/sink/origins';
import { WarehouseService } from '../../../core/warehouse/service';
import { FakeKafka } from './fake-kafka';
import {
  analysisBlock,
  query,
  evaluationBlock,
  T0,
  temporaryFolder,
  WINDOW,
  withConnection,
  type EvaluationRow,
} from './helpers';
import { taskWith } from '../../support/task';

const folder = temporaryFolder();
let runs = 0;
let kafka: FakeKafka;
let registry: Registry;
let service: WarehouseService;

const start = (settings: StreamSettings = DEFAULT_STREAM_SETTINGS): Promise<WarehouseService> => {
  registry = createMetrics('analytics');
  return WarehouseService.start({
    kafka: kafka.asKafka(),
    env: environmentSchema.parse({
      FEDLOOP_WAREHOUSE: join(folder.path, `${runs}.duckdb`),
      FEDLOOP_PROCESSED: join(folder.path, `processed-${runs}`),
    }),
    settings,
    log: silentLogger(),
    registry,
    origins: TRUSTED,
  });
};

beforeEach(async () => {
  runs += 1;
  kafka = new FakeKafka(2);
  service = await start();
});
afterEach(async () => {
  await service.stop();
});
afterAll(() => {
  folder.remove();
});

const v1 = versionIdSchema.parse('v1');
const v0 = versionIdSchema.parse('v0');

function closeWindow(window: number, partition: number, rows: readonly EvaluationRow[]): void {
  const devices = rows.map(({ device }) => device);
  kafka.append(TOPICS.analysis.name, partition, analysisBlock({ window, partition }, devices));
  kafka.append(TOPICS.evaluations.name, partition, evaluationBlock({ window, partition }, rows));
}

function activate(version: string, partition: number, from_window: number | null): void {
  kafka.append(
    TOPICS.checkpoints.name,
    partition,
    { type: 'activation', partition, epoch: 1, version, from_window, residual_stddev: null },
    { key: `activation/${partition}/${version}/1` },
  );
}

const windowFeedback = () =>
  kafka.sent(TOPICS.feedback.name).map(({ key, value }) => {
    const { scope, window_start, n } = value as { scope: string; window_start: number; n: number };
    return [key, scope, (window_start - T0) / WINDOW, n];
  });

const published = (count: number): Promise<void> => kafka.whenSent(TOPICS.feedback.name, count);

describe('the warehouse service', () => {
  it('says feedback on every version once each window is complete on all partitions', async () => {
    for (const partition of [0, 1]) kafka.append(TOPICS.stream.name, partition, 'an event');
    closeWindow(0, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    await kafka.deliver();
    closeWindow(0, 1, [
      { version: 'v0', device: 'b', error: 0 },
      { version: 'v1', device: 'b', error: 0 },
    ]);
    closeWindow(1, 1, [{ version: 'v0', device: 'b', error: 0 }]);
    await kafka.deliver();
    await published(2);
    expect(windowFeedback()).toEqual([
      ['v0', 'window', 0, 2],
      ['v1', 'window', 0, 1],
    ]);
  });

  it('does not wait for partitions that have no events', async () => {
    kafka.append(TOPICS.stream.name, 0, 'an event');
    closeWindow(0, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    await kafka.deliver();
    await published(1);
    expect(windowFeedback()).toEqual([['v0', 'window', 0, 1]]);
  });

  it('commits the group’s offsets behind the rows', async () => {
    closeWindow(0, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    await kafka.deliver();
    await kafka.whenCommitted(TOPICS.evaluations.name, 0, 1);
    const stored = await withConnection(service.warehouse, (connection) =>
      connection.rows(z.object({ n: z.int() }), 'SELECT count(*) AS n FROM evaluation_rows'),
    );
    expect(stored).toEqual([{ n: 1 }]);
  });

  it('continues to store when the group refuses its offset, as after a pause of the whole machine', async () => {
    kafka.refusesCommits = true;
    closeWindow(0, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    await kafka.deliver();
    await kafka.whenRefused();
    kafka.refusesCommits = false;
    closeWindow(1, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    await kafka.deliver();
    await kafka.whenCommitted(TOPICS.evaluations.name, 0, 2);
    const stored = await withConnection(service.warehouse, (connection) =>
      connection.rows(z.object({ n: z.int() }), 'SELECT count(*) AS n FROM evaluation_rows'),
    );
    expect(stored).toEqual([{ n: 2 }]);
  });

  it('publishes a rollback once, also over a restart, and the round shows it', async () => {
    const stage = (version: string, name: string, reason: string) => ({
      type: 'stage',
      version,
      stage: name,
      round: 1,
      not_before: null,
      reason,
      by: 'ada',
      at: '2020-01-01T00:00:00Z',
    });
    await withConnection(service.warehouse, (connection) =>
      connection.run(
        `INSERT INTO federated_rounds SELECT 1, 'v1', 'v0', 'promoted', '', 'closed-loop', NULL, 6, now()::TIMESTAMP,
           now()::TIMESTAMP, 1, 1, 1, 1, 1, 1, 1, 1, 1, NULL, NULL, 1, 1, '{}', '{}', NULL, NULL, NULL, NULL`,
      ),
    );
    kafka.append(TOPICS.deployments.name, 0, stage('v0', 'champion', 'v1 was rolled back: worse'), {
      key: 'stage/v0',
    });
    kafka.append(TOPICS.deployments.name, 0, stage('v1', 'rolled-back', 'worse'), { key: 'stage/v1' });
    await kafka.deliver();
    await published(1);
    await service.stop();
    service = await start();
    closeWindow(0, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    closeWindow(0, 1, [{ version: 'v0', device: 'b', error: 0 }]);
    await kafka.deliver();
    await published(2);
    const [first, second] = kafka.sent(TOPICS.feedback.name).map(({ value }) => value);
    expect(first).toEqual({
      type: 'rollback',
      model_version: 'v1',
      champion: 'v0',
      reason: 'worse',
      by: 'ada',
      at: '2020-01-01T00:00:00Z',
    });
    expect(second).toMatchObject({ type: 'feedback', scope: 'window' });
    await withConnection(service.warehouse, async (connection) => {
      expect(
        await query(connection, 'SELECT decision, rolled_back_at, rollback_reason FROM federated_rounds'),
      ).toEqual([
        {
          decision: 'promoted',
          rolled_back_at: Date.UTC(2020, 0, 1) * 1000,
          rollback_reason: 'worse',
        },
      ]);
      expect(
        await query(connection, 'SELECT model_version, changed_by FROM model_stages ORDER BY log_offset'),
      ).toEqual([
        { model_version: 'v0', changed_by: 'ada' },
        { model_version: 'v1', changed_by: 'ada' },
      ]);
    });
  });

  it('continues from its file after a restart, publishes nothing twice and keeps its curves', async () => {
    kafka.append(
      TOPICS.deployments.name,
      0,
      {
        type: 'stage',
        version: 'v0',
        stage: 'champion',
        round: 0,
        not_before: null,
        reason: 'first',
        at: '2020-01-01T00:00:00Z',
      },
      { key: 'stage/v0' },
    );
    for (const partition of [0, 1])
      closeWindow(0, partition, [{ version: 'v0', device: `d${partition}`, error: partition * 2 }]);
    await kafka.deliver();
    await published(1);
    await service.stop();
    service = await start();
    const text = await registry.metrics();
    expect(text).toContain(
      'fedloop_model_accuracy_ratio{version="v0",stage="champion",scope="lifetime",role="analytics"} 0.5',
    );
    expect(text).toContain(
      'fedloop_model_accuracy_ratio{version="v0",stage="champion",scope="window",role="analytics"} 0.5',
    );
    expect(text).toContain('fedloop_champion_info{version="v0",role="analytics"} 1');
    // A rebalance makes the broker deliver everything again.
    for (const topic of [TOPICS.analysis.name, TOPICS.evaluations.name]) {
      for (const partition of [0, 1]) kafka.startFrom(topic, partition, 0);
    }
    await kafka.deliver();
    for (const partition of [0, 1])
      closeWindow(1, partition, [{ version: 'v0', device: `d${partition}`, error: 0 }]);
    await kafka.deliver();
    await published(2);
    expect(windowFeedback()).toEqual([
      ['v0', 'window', 0, 2],
      ['v0', 'window', 1, 2],
    ]);
    await withConnection(service.warehouse, async (connection) => {
      expect(await query(connection, 'SELECT count(*) AS n FROM model_evaluations')).toEqual([{ n: 4 }]);
    });
  });

  it('reads again what its file lacks, although the group has been further', async () => {
    await service.stop();
    for (const window of [0, 1, 2])
      for (const partition of [0, 1])
        closeWindow(window, partition, [{ version: 'v0', device: `d${partition}`, error: 0 }]);
    kafka.startFrom(TOPICS.evaluations.name, 0, 2);
    service = await start();
    await kafka.deliver();
    await withConnection(service.warehouse, async (connection) => {
      expect(await query(connection, 'SELECT count(*) AS n FROM model_evaluations')).toEqual([{ n: 6 }]);
    });
  });

  it('takes no file that other brokers have filled, until a person says that these took their place', async () => {
    await service.stop();
    kafka.cluster = 'other brokers/';
    await expect(start()).rejects.toMatchObject({
      code: 'InvalidConfig',
      message: expect.stringContaining('was filled from other Kafka brokers') as string,
    });
    const warehouse = await openWarehouse(join(folder.path, `${runs}.duckdb`));
    await withConnection(warehouse, forgetLogs);
    await warehouse.close();
    service = await start();
    expect(service.trouble).toBeUndefined();
  });

  it('says so when its file is removed under it', () => {
    expect(service.trouble).toBeUndefined();
    rmSync(join(folder.path, `${runs}.duckdb`));
    expect(service.trouble).toContain('was removed or replaced while it is open');
  });

  it('gives up when nothing can be stored any more', async () => {
    await withConnection(service.warehouse, (connection) => connection.run('DROP TABLE sink_marks'));
    closeWindow(0, 0, [{ version: 'v0', device: 'a', error: 0 }]);
    const ending = expect(service.failed).rejects.toMatchObject({ code: 'WarehouseFailed' });
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(kafka.deliver()).rejects.toThrow();
    await ending;
    await withConnection(service.warehouse, async (connection) => {
      expect(await query(connection, 'SELECT count(*) AS n FROM evaluation_rows')).toEqual([{ n: 0 }]);
    });
  });

  it('waits until every partition has begun to evaluate a version', async () => {
    const waiting = service.waitForActivation(v1);
    activate('v1', 0, T0 + 3 * WINDOW);
    await kafka.deliver();
    activate('v1', 1, T0 + 5 * WINDOW);
    await kafka.deliver();
    expect(await waiting).toEqual({ fromWindow: T0 + 5 * WINDOW });
    activate('v0', 0, null);
    activate('v0', 1, null);
    await kafka.deliver();
    expect(await service.waitForActivation(v0)).toEqual({ fromWindow: null });
  });

  it('stops waiting when it is called off or the time is over', async () => {
    const control = new AbortController();
    const waiting = service.waitForActivation(v1, { signal: control.signal });
    control.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'Interrupted' });
    await expect(service.waitForActivation(v1, { timeoutMillis: 1 })).rejects.toMatchObject({
      code: 'TooFewWindows',
    });
  });

  it('waits for complete windows of a version, reports how many there are, and gives what came when time is over', async () => {
    const seen: number[] = [];
    const input = {
      version: v1,
      fromWindow: T0 + WINDOW,
      count: 2,
      onProgress: (windows: readonly number[]) => seen.push(windows.length),
    };
    const waiting = service.waitForWindows(input);
    for (let window = 0; window < 4; window += 1) {
      for (const partition of [0, 1])
        closeWindow(window, partition, [{ version: 'v1', device: `d${partition}`, error: 0 }]);
      await kafka.deliver();
    }
    expect(await waiting).toEqual([T0 + WINDOW, T0 + 2 * WINDOW]);
    expect(seen[0]).toBe(0);
    expect(await service.waitForWindows({ ...input, count: 50, timeoutMillis: 1 })).toHaveLength(3);
  });

  it('asks for windows under an id', async () => {
    await service.requestWindows({ id: '1/run', windows: 6, from_window: null });
    expect(kafka.sent(TOPICS.windowRequests.name)).toEqual([
      { key: '1/run', value: { type: 'window-request', id: '1/run', windows: 6, from_window: null } },
    ]);
  });

  it('gives a round’s verdict with accuracy by device before it', async () => {
    for (const partition of [0, 1])
      closeWindow(0, partition, [{ version: 'v1', device: `d${partition}`, error: 0 }]);
    await kafka.deliver();
    await published(1);
    const feedback = await service.publishRoundFeedback({
      round: 1,
      versions: [v1, v0],
      from: T0,
      until: T0,
    });
    expect(feedback).toMatchObject([{ scope: 'round', round: 1, model_version: 'v1', n: 2, accuracy: 1 }]);
    expect(kafka.sent(TOPICS.feedback.name).map(({ value }) => (value as { type: string }).type)).toEqual([
      'feedback',
      'device-feedback',
      'device-feedback',
      'feedback',
    ]);
  });

  it('compares by the tolerance that the deployment agreed on', async () => {
    const settings = { ...DEFAULT_STREAM_SETTINGS, task: taskWith({ tolerance: 2 }) };
    kafka.append(TOPICS.deployments.name, 0, { type: 'settings', settings }, { key: 'settings' });
    await service.stop();
    service = await start(settings);
    for (const partition of [0, 1]) {
      closeWindow(0, partition, [
        { version: 'v0', device: `d${partition}`, error: 0 },
        { version: 'v1', device: `d${partition}`, error: 0 },
      ]);
    }
    await kafka.deliver();
    const comparison = await service.compare({ champion: v0, candidates: [v1], from: T0, until: T0 });
    expect(comparison?.champion.persistenceAccuracy).toBe(1);
  });

  it('counts the folder of the deployment', async () => {
    const processed = join(folder.path, `processed-${runs}`);
    mkdirSync(processed);
    writeFileSync(join(processed, 'a.csv'), 'device_id,timestamp,temperature\nd,2020-01-01,1\n');
    expect(await service.runBatch()).toMatchObject({ files: { counted: 1 }, rows: 1, results: 1 });
    expect(await registry.metrics()).toContain('fedloop_batch_rows{role="analytics"} 1');
  });
});
