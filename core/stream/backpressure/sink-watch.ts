import { ANALYTICS_GROUP_PREFIX, TOPICS } from '../../contracts/topics';
import { type Kafka } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { SINK_LOOK_MS } from '../limits';
import { furthestBehind, partitionsToPause, type SinkLag } from './sink-lag';

/** Topics of blocks: a warehouse is behind when it is behind with either. */
const BLOCK_TOPICS = [TOPICS.analysis.name, TOPICS.evaluations.name] as const;

/**
 * Reads from time to time how far the living warehouses are behind, and decides which partitions wait for them. No partition waits for a
 * warehouse that is down: its results wait in Kafka's log. While the broker does not answer, the last decision holds.
 */
export class SinkWatch {
  private paused: ReadonlySet<number> = new Set();
  private lag: SinkLag = new Map();
  private looking: Promise<void> | undefined;
  private blind = false;
  private closed = false;
  private readonly timer: NodeJS.Timeout;

  /** @param onChange called with the partitions that are paused now and were not before, or the other way round. */
  constructor(
    private readonly kafka: Kafka,
    private readonly log: Logger,
    private readonly onChange: (partitions: readonly number[]) => void,
  ) {
    this.timer = setInterval(() => {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
    }, SINK_LOOK_MS);
  }

  isPaused(partition: number): boolean {
    return this.paused.has(partition);
  }

  /** Blocks of the partition that the furthest-behind living warehouse has yet to store; 0 where there is none. */
  lagOf(partition: number): number {
    return this.lag.get(partition) ?? 0;
  }

  /** Log whether the partition waits for a warehouse. */
  report(partition: number): void {
    const { log } = this;
    const blocks = this.lagOf(partition);
    if (this.isPaused(partition))
      log.warn({ partition, blocks }, 'partition paused: a warehouse is far behind in storing its results');
    else log.info({ partition }, 'partition resumed: the warehouse has caught up');
  }

  /** A look that is under way changes nothing any more. */
  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    try {
      const lag = await this.readLag();
      this.blind = false;
      if (!this.closed) this.apply(lag);
    } catch (cause) {
      // Others report a broker that is away; nobody else would report one that does not let this worker look.
      if (!this.blind && !this.closed)
        this.log.warn(
          { err: cause },
          'how far warehouses are behind is not known for now; nothing changes until it is',
        );
      this.blind = true;
    }
  }

  private async readLag(): Promise<SinkLag> {
    const { kafka } = this;
    const groups = await kafka.livingGroups(ANALYTICS_GROUP_PREFIX);
    const states = await Promise.all(
      BLOCK_TOPICS.map(async (topic) => {
        // Ends first: what is stored meanwhile must not look like a lag.
        const ends = groups.length === 0 ? [] : await kafka.offsets(topic);
        return Promise.all(
          groups.map(async (group) => ({ ends, stored: await kafka.committed(group, topic) })),
        );
      }),
    );
    return furthestBehind(states.flat());
  }

  private apply(lag: SinkLag): void {
    const before = this.paused;
    this.lag = lag;
    this.paused = partitionsToPause(lag, before);
    const changed = [...this.paused, ...before].filter(
      (partition) => before.has(partition) !== this.paused.has(partition),
    );
    if (changed.length > 0) this.onChange(changed);
  }
}
