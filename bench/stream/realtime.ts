import { setTimeout as sleep } from 'node:timers/promises';
import { MICROS_PER_MILLI, windowStartOf } from '../../core/contracts/time';
import { readRunLog } from './blocks-log';
import { writers } from './fill';
import { startWorkers, together, type ProcessFigures, type ProcessName, type RunPlace } from './fedloop';
import { EventGenerator } from './generator';
import { LogWriter } from './log-writer';
import { usageOf, type Usage } from './process-usage';
import { EndlessQuestions, type QuestionsRun } from './questions';
import { percentile, Watch } from './watch';
import { partitionsOf, SETTINGS, type Workload } from './workload';

/** Events at the pace at which they happen. */
export interface RealtimeRun {
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** Windows that closed meanwhile, in every partition. */
  readonly windows: number;
  /** Seconds from sending the event that closes a window in a partition to each of its rows readable. */
  readonly closeToRow: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly rows: number;
  readonly processes: Readonly<Record<ProcessName, ProcessFigures | null>>;
  /** Questions without end that were asked meanwhile; null when none were. */
  readonly questions: QuestionsRun | null;
}

/** What the clock has made due is sent so often. */
const SEND_EVERY_MS = 20;
/** The tables are looked at so often: the resolution of the latency. */
const LOOK_EVERY_MS = 20;
/** Time before the start that is filled in at full speed, so that windows close from the first minute on. */
const LEAD_MILLIS = 90_000;
/** From the end of filling in to the beginning of measuring: the compiler and the caches settle. */
const SETTLE_MILLIS = 30_000;
/** Rows of windows that close in the last seconds are waited for. */
const TAIL_MILLIS = 3_000;
/** Events between two looks at the clock while filling in. */
const EVENTS_AT_ONCE = 2_000;

/** First event of a run in real time that starts now: on the grid, the lead ago. */
export function realtimeStart(nowMillis: number): number {
  const windowMillis = SETTINGS.task.windowMicros / MICROS_PER_MILLI;
  return Math.floor((nowMillis - LEAD_MILLIS) / windowMillis) * windowMillis;
}

/** Send events by the clock for `seconds`, and measure what the workers use and how soon rows can be read. */
export async function runRealtime(
  place: RunPlace & { readonly broker: string; readonly topic: string },
  workload: Workload,
  options: { readonly seconds: number; readonly streamWorkers: number; readonly questions: boolean },
): Promise<RealtimeRun> {
  const { seconds, streamWorkers } = options;
  const workers = await startWorkers(place, streamWorkers);
  const pids = {
    stream: workers.stream.map(({ child }) => child.pid),
    analytics: [workers.analytics.child.pid],
    broker: [place.brokerPid ?? 0],
  };
  const sender = await Sender.open(place.broker, place.topic, workload);
  const sending = sender.run();
  sending.catch(() => undefined);
  const watch = new Watch(workers.analytics.url, LOOK_EVERY_MS);
  try {
    await Promise.race([sender.caughtUp, sending]);
    await Promise.race([sleep(SETTLE_MILLIS), sending]);
    const { url, child } = workers.analytics;
    const questions = options.questions ? new EndlessQuestions(url, child.pid) : undefined;
    const from = Date.now();
    const sentBefore = sender.sent;
    const before = await usages(pids);
    await Promise.race([sleep(seconds * 1_000), sending]);
    const after = await usages(pids);
    const until = Date.now();
    const sent = sender.sent - sentBefore;
    await sleep(TAIL_MILLIS);
    const asked = (await questions?.stop()) ?? null;
    sender.stop();
    await sending;
    await watch.stop();
    const { blocks } = await readRunLog(place.env);
    const measured = blocks.flatMap(({ topic, partition, windowStart, ordinal, rows }) => {
      const closed = sender.closedAt(partition, windowStart);
      if (rows === 0 || closed === undefined || closed < from || closed > until) return [];
      const readable = watch.readableAt(topic, partition, windowStart, ordinal);
      // A row that never came is slower than every other, not one that doesn't count.
      return [{ value: readable === undefined ? Infinity : (readable - closed) / 1_000, rows, windowStart }];
    });
    const wall = (until - from) / 1_000;
    const figures = (name: ProcessName): ProcessFigures | null => {
      const [start, end] = [before[name], after[name]];
      if (start === undefined || end === undefined) return null;
      const cpuSeconds = end.cpuSeconds - start.cpuSeconds;
      return { cpuSeconds, cores: cpuSeconds / wall, peakMegabytes: end.peakMegabytes };
    };
    return {
      seconds: wall,
      eventsPerSecond: sent / wall,
      windows: new Set(measured.map(({ windowStart }) => windowStart)).size,
      closeToRow: {
        p50: percentile(measured, 0.5),
        p99: percentile(measured, 0.99),
        max: measured.reduce((most, { value }) => Math.max(most, value), 0),
      },
      rows: measured.reduce((sum, { rows }) => sum + rows, 0),
      processes: { stream: figures('stream'), analytics: figures('analytics'), broker: figures('broker') },
      questions: asked,
    };
  } finally {
    sender.stop();
    await watch.stop().catch(() => undefined);
    await workers.stop();
  }
}

type Usages = Readonly<Record<ProcessName, Usage | undefined>>;

async function usages(pids: Readonly<Record<ProcessName, readonly number[]>>): Promise<Usages> {
  const of = async (name: ProcessName): Promise<Usage | undefined> =>
    together(await Promise.all(pids[name].map(usageOf)));
  return { stream: await of('stream'), analytics: await of('analytics'), broker: await of('broker') };
}

/** Writes each event when the clock says that it comes in. */
class Sender {
  sent = 0;
  readonly caughtUp: Promise<void>;
  private readonly generator: EventGenerator;
  private readonly partitions: Uint16Array;
  /** Per partition: window start → when the event that closes it was sent. */
  private readonly closings: Map<number, number>[];
  private readonly nextEnds: number[];
  private stopped = false;
  private reachNow: () => void = () => undefined;

  private constructor(
    private readonly log: LogWriter,
    workload: Workload,
  ) {
    this.generator = new EventGenerator(workload);
    this.partitions = partitionsOf(this.generator.ids, workload.partitions);
    this.closings = Array.from({ length: workload.partitions }, () => new Map<number, number>());
    const firstStart = windowStartOf(workload.startMillis * MICROS_PER_MILLI, SETTINGS.task.windowMicros);
    this.nextEnds = this.closings.map(() => firstStart + SETTINGS.task.windowMicros);
    this.caughtUp = new Promise((resolve) => {
      this.reachNow = resolve;
    });
  }

  static async open(broker: string, topic: string, workload: Workload): Promise<Sender> {
    return new Sender(await LogWriter.open(broker, topic), workload);
  }

  closedAt(partition: number, windowStart: number): number | undefined {
    return this.closings[partition]?.get(windowStart);
  }

  stop(): void {
    this.stopped = true;
  }

  async run(): Promise<void> {
    const batches = writers(this.closings.length);
    try {
      while (!this.stopped) {
        const now = Date.now();
        const limit = this.sent + EVENTS_AT_ONCE;
        while (this.sent < limit && this.generator.arrivalOf(this.sent) <= now) {
          const { device, millis, arrival, text } = this.generator.event(this.sent);
          const partition = this.partitions[device] ?? 0;
          batches[partition]?.add(this.generator.ids[device] ?? '', text, arrival);
          this.noteClosing(partition, millis * MICROS_PER_MILLI, now);
          this.sent += 1;
        }
        await this.log.append(batches);
        if (this.sent === limit) continue;
        this.reachNow();
        await sleep(SEND_EVERY_MS);
      }
    } finally {
      this.log.close();
    }
  }

  private noteClosing(partition: number, micros: number, now: number): void {
    let end = this.nextEnds[partition] ?? Infinity;
    for (; micros - SETTINGS.watermarkMicros >= end; end += SETTINGS.task.windowMicros)
      this.closings[partition]?.set(end - SETTINGS.task.windowMicros, now);
    this.nextEnds[partition] = end;
  }
}
