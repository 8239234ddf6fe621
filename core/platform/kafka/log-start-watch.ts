import { type Logger } from '../log';
import { type Kafka } from './types';

/** How often it is looked. A loss is known after two looks, sooner than Prometheus asks; a look is one question a topic. */
const LOOK_MS = 5_000;

interface LogStartWatchOptions {
  readonly kafka: Pick<Kafka, 'offsets'>;
  readonly log: Logger;
  /** The partitions to look at, by topic. */
  readonly assignment: () => ReadonlyMap<string, readonly number[]>;
  /** The next offset that the reader has not done with. */
  readonly nextOffset: (topic: string, partition: number) => number;
  /** Whether the reader has records of the partition in hand: they may be there, though the topic no longer has them. */
  readonly isBusy: (topic: string, partition: number) => boolean;
  /** The topic has let go what stands from the next offset up to `start`. It never rejects: what is not done with is seen again by a later look. */
  readonly onExpired: (topic: string, partition: number, start: number) => Promise<void>;
}

/**
 * Compares from time to time where logs begin with how far a reader is in them. A fetch shows that records are gone as well, but only one
 * that brings a record: a quiet partition would keep its loss to itself. Markers and compacted records lie behind a log's start, so they
 * are no loss here.
 */
export class LogStartWatch {
  /** The next offsets of partitions whose log began behind them at the last look. */
  private suspects: ReadonlyMap<string, number> = new Map();
  private state: 'new' | 'running' | 'closed' = 'new';
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: LogStartWatchOptions) {}

  /** Look now, and again until it is closed. */
  start(): void {
    if (this.state !== 'new') return;
    this.state = 'running';
    void this.run();
  }

  /** A look that is under way notes nothing any more. */
  close(): void {
    this.state = 'closed';
    clearTimeout(this.timer);
  }

  /**
   * A loss is one that the look before has seen too, with nothing done since: what was fetched before it was let go is on its way meanwhile.
   */
  async look(): Promise<void> {
    const starts = await this.readStarts();
    if (starts === undefined || this.state === 'closed') return;
    const { nextOffset, isBusy, onExpired } = this.options;
    const suspects = new Map<string, number>();
    const expired = starts.filter(({ topic, partition, low }) => {
      const next = nextOffset(topic, partition);
      if (low <= next || isBusy(topic, partition)) return false;
      const key = `${topic}/${partition}`;
      suspects.set(key, next);
      return this.suspects.get(key) === next;
    });
    this.suspects = suspects;
    await Promise.all(expired.map(({ topic, partition, low }) => onExpired(topic, partition, low)));
  }

  private async run(): Promise<void> {
    await this.look();
    if (this.state === 'closed') return;
    this.timer = setTimeout(() => void this.run(), LOOK_MS).unref();
  }

  private async readStarts(): Promise<readonly LogStart[] | undefined> {
    const { kafka, log, assignment } = this.options;
    try {
      const starts = await Promise.all(
        [...assignment()].map(async ([topic, partitions]) => {
          const ends = await kafka.offsets(topic);
          return ends.flatMap(({ partition, low }) =>
            partitions.includes(partition) ? [{ topic, partition, low }] : [],
          );
        }),
      );
      return starts.flat();
    } catch (err) {
      log.debug({ err }, 'where the logs begin is not known for now: the broker does not say');
      return undefined;
    }
  }
}

interface LogStart {
  readonly topic: string;
  readonly partition: number;
  readonly low: number;
}
