import { patienceOf } from '../../contracts/partition-times';
import { type StreamSettings } from '../../contracts/settings';
import { type Micros, MICROS_PER_MILLI } from '../../contracts/time';
import { STREAM_GROUP, TOPICS } from '../../contracts/topics';
import { type Kafka } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import {
  ALIVE_BUT_BEHIND_MICROS,
  MAX_FIRST_BLOCK_WAIT_MS,
  PARTITIONS_LOOK_MS,
  READ_WITHIN_MS,
} from '../limits';
import { type AheadPartitions } from './ahead-partitions';
import { type Sink } from './sink';

interface IdlePartitionsOptions {
  readonly kafka: Pick<Kafka, 'offsets' | 'committed'>;
  readonly eventTopic: string;
  readonly settings: Pick<StreamSettings, 'task' | 'watermarkMicros'>;
  readonly log: Logger;
  readonly ahead: Pick<AheadPartitions, 'among'>;
  /** Knows up to where the tables have the results. */
  readonly sink: Pick<Sink, 'nextOffset'>;
  /** In milliseconds, by a clock that nobody sets. */
  readonly now?: () => number;
}

/** Up to which window a partition has delivered, and since when. */
interface Bound {
  readonly before: Micros;
  readonly since: number;
}

/** What windows are complete by. */
const RESULTS = [TOPICS.analysis.name, TOPICS.evaluations.name];

/** Where the log of a partition ended at some time. */
interface End {
  readonly high: number;
  readonly at: number;
}

/**
 * Partitions that windows are not held open for, as idle sources are in Flink: their devices have all fallen silent, or send times of long ago. One device that is
 * switched off would else stop every evaluation of the fleet, where it is alone in its partition.
 *
 * A partition is idle when it is behind the furthest one by more than late events are waited for and `SILENT_WINDOWS` windows, has delivered nothing new for as long, and
 * everything in its log has been read and stored: one whose worker is away, or is catching up, is waited for, as are all while the tables are filled anew. One that still delivers is idle a day behind most others: behind
 * the furthest alone may be a clock that is ahead. None is while only such clocks go on. What an idle partition delivers later is in the tables, and in no feedback that was given before.
 */
export class IdlePartitions {
  private readonly bounds = new Map<number, Bound>();
  /** By topic and partition. */
  private readonly ends = new Map<string, readonly End[]>();
  private readonly patience: Micros;
  private readonly now: () => number;
  /** Partitions of which everything is read that came a while ago. */
  private read: ReadonlySet<number> = new Set();
  private idle: ReadonlySet<number> = new Set();
  private lookedAt = -Infinity;

  constructor(private readonly options: IdlePartitionsOptions) {
    this.patience = patienceOf(options.settings);
    this.now = options.now ?? (() => performance.now());
  }

  /** @param bounds of every partition: windows that start before it are delivered. */
  async among(bounds: ReadonlyMap<number, Micros>): Promise<ReadonlySet<number>> {
    const now = this.now();
    for (const [partition, before] of bounds)
      if (this.bounds.get(partition)?.before !== before) this.bounds.set(partition, { before, since: now });
    const inOrder = [...bounds.values()].sort((one, other) => one - other);
    const furthest = inOrder.at(-1) ?? -Infinity;
    const usual = inOrder[(inOrder.length - 1) >> 1] ?? -Infinity;
    const behind = [...bounds].filter(([, before]) => furthest - before > this.patience);
    await this.lookAt(behind.length > 0, now);
    const idle = behind.filter(
      ([partition, before]) =>
        this.read.has(partition) &&
        (this.isStill(partition, now) || usual - before > ALIVE_BUT_BEHIND_MICROS),
    );
    const without = new Set(idle.map(([partition]) => partition));
    // A clock that is ahead does not say how far the fleet is: while all others pause, windows wait with them.
    const ahead = await this.options.ahead.among(bounds);
    const isLed = [...bounds.keys()].some((partition) => !without.has(partition) && !ahead.has(partition));
    this.tell(isLed ? without : new Set());
    return this.idle;
  }

  private isStill(partition: number, now: number): boolean {
    const { since } = this.bounds.get(partition) ?? { since: now };
    return now - since > Math.max(MAX_FIRST_BLOCK_WAIT_MS, this.patience / MICROS_PER_MILLI);
  }

  private async lookAt(isSomeBehind: boolean, now: number): Promise<void> {
    if (!isSomeBehind) {
      this.ends.clear();
      this.read = new Set();
    } else if (now - this.lookedAt >= PARTITIONS_LOOK_MS) {
      this.lookedAt = now;
      this.read = await this.readPartitions(now);
    }
  }

  private async readPartitions(now: number): Promise<ReadonlySet<number>> {
    const { kafka, eventTopic, sink, log } = this.options;
    try {
      const committed = await kafka.committed(STREAM_GROUP, eventTopic);
      const done = new Map(committed.map(({ partition, offset }) => [partition, offset]));
      const read = await this.passed(eventTopic, (partition) => done.get(partition) ?? 0, now);
      const delivered = await Promise.all(
        RESULTS.map((topic) => this.passed(topic, (partition) => sink.nextOffset(topic, partition), now)),
      );
      return new Set([...read].filter((partition) => delivered.every((done) => done.has(partition))));
    } catch (err) {
      log.warn({ err }, 'whether a partition that is behind is idle is not known: it is waited for');
      return new Set();
    }
  }

  /** Partitions of a topic of which everything is done that was there a while ago. */
  private async passed(
    topic: string,
    doneOf: (partition: number) => number,
    now: number,
  ): Promise<ReadonlySet<number>> {
    const passed = (await this.options.kafka.offsets(topic)).filter(({ partition, high }) => {
      const end = this.endAWhileAgo(`${topic}/${partition}`, { high, at: now });
      return end !== undefined && doneOf(partition) >= end.high;
    });
    return new Set(passed.map(({ partition }) => partition));
  }

  /** The latest end that is old enough for a worker to have said that it has read up to there. */
  private endAWhileAgo(place: string, latest: End): End | undefined {
    const ends = [...(this.ends.get(place) ?? []), latest];
    const old = ends.findLastIndex(({ at }) => latest.at - at >= READ_WITHIN_MS);
    this.ends.set(place, ends.slice(Math.max(0, old)));
    return ends[old];
  }

  private tell(idle: ReadonlySet<number>): void {
    const { log } = this.options;
    const gone = [...idle].filter((partition) => !this.idle.has(partition));
    const back = [...this.idle].filter((partition) => !idle.has(partition));
    this.idle = idle;
    if (gone.length > 0)
      log.warn(
        { partitions: gone },
        'partitions are idle: their devices are silent or send times of long ago, and windows are complete without them',
      );
    if (back.length > 0) log.info({ partitions: back }, 'partitions are waited for again');
  }
}
