import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka, type Producer } from '../../core/platform/kafka';
import { type EventFeed } from '../support/event-feed';
import { deployStream } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { describeWith } from '../support/requirements';
import { eventually } from '../support/round-watch';
import { FAKETIME, SetClock } from '../support/set-clock';
import { taskWith } from '../support/task';

/** Wall clocks of workers that are set while they run, by an hour, as a machine's is that had lost the time. FEDLOOP_FAULT_TIMES says how often. */
const EACH = Number(process.env['FEDLOOP_FAULT_TIMES'] ?? 1);
const HOUR_SECONDS = 3_600;
const PARTITIONS = 4;
const SESSION_MILLIS = 2_000;
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 2_000_000 }),
  watermarkMicros: 4_000_000,
  idleMillis: 1_500,
};
const START = Date.UTC(2020, 0, 1) * 1_000;
/** Three seconds of simulated time a second. */
const STEP_MILLIS = 100;
const STEP_MICROS = 300_000;
/** Longer than a session, so that whoever has stopped speaking to the broker is thrown out, and others take over. */
const AFTER_JUMP_MILLIS = SESSION_MILLIS + 2_000;
const ROWS_MILLIS = 10_000;
/** A worker starts within seconds, more of them on a busy machine, and joins its group within a few more. */
const SHARED_MILLIS = 60_000;

jest.setTimeout(180_000 + EACH * 60_000);

describeWith(FAKETIME, 'workers whose clocks are set', () => {
  let system: StreamSystem;
  let kafka: Kafka;
  let producer: Producer;
  let feed: EventFeed;
  let clocks: readonly SetClock[];
  let streams: readonly WorkerProcess[];
  let analytics: WorkerProcess;
  let sending: Promise<void>;
  const ended = new AbortController();

  beforeAll(async () => {
    system = await StreamSystem.start({
      FEDLOOP_PARTITIONS: String(PARTITIONS),
      FEDLOOP_SESSION_TIMEOUT: `${SESSION_MILLIS}ms`,
    });
    kafka = await system.connect();
    producer = await kafka.producer();
    const options = { seed: 1, devices: 40, start: START, stepMicros: STEP_MICROS, partitions: PARTITIONS };
    feed = await deployStream(kafka, producer, SETTINGS, options);
    clocks = await Promise.all(
      [0, 1, 2].map((which) => SetClock.make(join(system.folder, `clock-${which}`))),
    );
    const [first, second, third] = clocks.map(({ variables }) => variables);
    const [one, other, sink] = await Promise.all([
      system.startWorker('stream', first),
      system.startWorker('stream', second),
      system.startAnalytics(third),
    ]);
    streams = [one, other];
    analytics = sink;
    sending = send();
    sending.catch(() => undefined);
    await moreRows();
    // One that joins later than the other takes its share over only then.
    await eventually('both stream workers have partitions', SHARED_MILLIS, async () => {
      const claimed = await claims();
      return claimed.every((count) => count > 0) ? { found: claimed } : { seen: claimed.join(' and ') };
    });
  });

  afterAll(async () => {
    ended.abort();
    await sending.catch(() => undefined);
    await producer.disconnect();
    await kafka.disconnect();
    await system.stop();
  });

  it.each(
    Array.from(
      { length: EACH },
      () =>
        [
          ['one stream worker', 'back', 0, -HOUR_SECONDS],
          ['one stream worker', 'forward', 0, HOUR_SECONDS],
          ['all', 'back', undefined, -HOUR_SECONDS],
          ['all', 'forward', undefined, HOUR_SECONDS],
        ] as const,
    ).flat(),
  )('go on with the partitions that they have: %s, %s', async (_who, _where, which, seconds) => {
    const before = await claims();
    await Promise.all(clocks.map((clock, at) => clock.set(at === (which ?? at) ? seconds : 0)));
    await sleep(AFTER_JUMP_MILLIS);
    await moreRows();
    expect(await claims()).toEqual(before);
  });

  it('and store every row right', async () => {
    ended.abort();
    await sending;
    const words = ['verify', '--analytics', analytics.url, '--json', '--wait', '60s'];
    const { code, out, err } = await system.command(...words);
    expect({ code, told: code === 0 ? '' : err + out }).toEqual({ code: 0, told: '' });
  });

  async function send(): Promise<void> {
    while (!ended.signal.aborted) {
      await producer.send(TOPICS.stream.name, feed.step());
      await sleep(STEP_MILLIS);
    }
  }

  /** Partitions that each stream worker has claimed since it began. */
  function claims(): Promise<readonly number[]> {
    return Promise.all(streams.map((worker) => figure(worker, 'fedloop_stream_claims_total')));
  }

  async function moreRows(): Promise<void> {
    const before = await figure(analytics, 'fedloop_sink_rows_total');
    await eventually('rows are stored', ROWS_MILLIS, async () => {
      const now = await figure(analytics, 'fedloop_sink_rows_total');
      return now > before ? { found: now } : { seen: `${now} rows` };
    });
  }
});

/** Sum of a metric over its labels. */
async function figure({ url }: WorkerProcess, name: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', url))).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
