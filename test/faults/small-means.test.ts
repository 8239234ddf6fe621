import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { Processes } from '../../cli/processes/processes';
import { startWorker, workerProgram } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { parseJson } from '../../core/contracts/validation';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { describeWith, MOUNT } from '../support/requirements';
import { runFedloop } from '../support/run-fedloop';
import { SmallDisk } from '../support/small-disk';
import { processesIn } from '../support/soundness';
import { deployStream } from '../support/stream-deployment';
import { taskWith } from '../support/task';

/** Workers that get too few open files or too little memory, or whose folder is read-only: they say so, and leave nothing corrupt. */
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 2_000_000 }),
  watermarkMicros: 4_000_000,
  idleMillis: 1_500,
};
const PARTITIONS = 2;
const TEST_MILLIS = 180_000;

jest.setTimeout(TEST_MILLIS);

/** How a worker ended, or that it is ready. */
interface Outcome {
  readonly end: 'ready' | number | null;
  readonly url: string;
  readonly said: string;
  readonly stop: () => Promise<void>;
}

describeWith(MOUNT, 'workers with small means', () => {
  let folder: string;
  let disk: SmallDisk;
  let env: NodeJS.ProcessEnv;
  let kafka: Kafka;
  let producer: Producer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fedloop-means-'));
    disk = SmallDisk.mount(join(folder, 'rows'), 200);
    env = {
      ...process.env,
      FEDLOOP_TOPIC_PREFIX: 'small-means.',
      FEDLOOP_PARTITIONS: String(PARTITIONS),
      FEDLOOP_EVALUATION: '{"firstRound": "off"}',
      FEDLOOP_SQL_TOKEN: 'off',
      FEDLOOP_SESSION_TIMEOUT: '4s',
      FEDLOOP_WAREHOUSE: join(disk.folder, 'w.duckdb'),
    };
    kafka = await connectKafka(readEnvironment(env), 'fedloop-test', silentLogger());
    producer = await kafka.producer();
    const feed = await deployStream(kafka, producer, SETTINGS, {
      seed: 1,
      devices: 30,
      start: Date.UTC(2020, 0, 1) * 1_000,
      stepMicros: 300_000,
      partitions: PARTITIONS,
    });
    for (let step = 0; step < 100; step += 1) await producer.send(TOPICS.stream.name, feed.step());
  });

  afterAll(async () => {
    await producer.disconnect();
    await kafka.disconnect();
    disk.unmount();
    rmSync(folder, { recursive: true });
  });

  /** @param limits a command of the shell before the worker, such as `ulimit -n 64`. */
  async function start(role: string, limits = 'true'): Promise<Outcome> {
    const command = `${limits}; exec "$0" "$@"`;
    const child: ChildProcess = spawn('bash', ['-c', command, process.execPath, workerProgram(), role], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr?.on('data', (text: Buffer) => (said += text.toString()));
    const exited = once(child, 'exit').then(([code]) => code as number | null);
    const { stdout } = child;
    if (stdout === null) throw new Error('the worker has no stdout');
    const line = once(createInterface({ input: stdout }), 'line').then(([text]) =>
      z.object({ url: z.string() }).parse(parseJson(String(text))),
    );
    const first = await Promise.race([line, exited]);
    const isReady = typeof first === 'object' && first !== null;
    return {
      end: isReady ? 'ready' : first,
      url: isReady ? first.url : '',
      get said() {
        return said;
      },
      async stop() {
        child.kill('SIGTERM');
        await exited;
      },
    };
  }

  it('say what they lack in one sentence, and nothing is lost or corrupt when they get it', async () => {
    const fewFiles = await start('analytics', 'ulimit -n 64');
    expect(fewFiles).toMatchObject({
      end: 2,
      said: 'a worker needs 128 open files, and this one may have 64. Raise the limit: `ulimit -n 4096`.\n',
    });

    const processes = Processes.start();
    const littleMemory = startWorker(processes, 'stream', {
      env: { ...env, NODE_OPTIONS: '--max-old-space-size=16' },
      logFolder: join(folder, 'logs'),
      cwd: folder,
    });
    await expect(littleMemory).rejects.toMatchObject({
      message:
        'the stream worker ended before it was ready: there is not enough memory for the stream worker',
      hint: expect.stringContaining('Give the process more memory') as unknown,
    });

    disk.remount('ro');
    const readOnly = await start('analytics');
    disk.remount('rw');
    const file = join(disk.folder, 'w.duckdb');
    expect(readOnly).toMatchObject({
      end: 1,
      said: `the file system of ${file} is read-only. Mount it writable, or use another folder.\n`,
    });

    const enough = 'ulimit -n 128';
    const [stream, analytics] = await Promise.all([start('stream', enough), start('analytics', enough)]);
    expect([stream.end, analytics.end]).toEqual(['ready', 'ready']);
    const verified = await runFedloop(['verify', '--analytics', analytics.url, '--json', '--wait', '60s'], {
      cwd: folder,
      env,
    });
    await Promise.all([stream.stop(), analytics.stop()]);
    expect(verified).toMatchObject({ code: 0 });
    expect(JSON.parse(verified.out)).toMatchObject({
      differences: { count: 0 },
      accounting: [{ addsUp: true }, { addsUp: true }],
    });
    expect(await processesIn(folder)).toEqual([]);
  });
});
