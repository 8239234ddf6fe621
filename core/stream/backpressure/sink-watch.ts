import { ANALYTICS_GROUP_PREFIX, TOPICS } from '../../contracts/topics';
import { type Kafka } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { SINK_LOOK_MS } from '../limits';
import { furthestBehind, heldBack, type SinkLag } from './sink-lag';

/** Topics of blocks: a warehouse is behind when it is behind with either. */
const BLOCK_TOPICS = [TOPICS.analysis.name, TOPICS.evaluations.name] as const;

/**
 * Looks from time to time how far the living warehouses are behind, and says which partitions have to wait for them. A warehouse that is
 * down holds nothing back: its results wait in Kafka's log. While the broker does not answer, the last decision holds.
 */
export class SinkWatch {
  private held: ReadonlySet<number> = new Set();
  private lag: SinkLag = new Map();
  private looking: Promise<void> | undefined;
  private blind = false;
  private closed = false;
  private readonly timer: NodeJS.Timeout;

  /** @param onChange told the partitions that are held back now and were not before, or the other way round. */
  constructor(
    private readonly kafka: Kafka,
    private readonly log: Logger,
    private readonly onChange: (partitions: readonly number[]) => void,
  ) {
    this.timer = setInterval(() => {
      this.looking ??= this.look()
        .then(
          () => {
            this.see(true);
          },
          (cause: unknown) => {
            this.see(false, cause);
          },
        )
        .finally(() => {
          this.looking = undefined;
        });
    }, SINK_LOOK_MS);
  }

  isHeldBack(partition: number): boolean {
    return this.held.has(partition);
  }

  /** Blocks of the partition that the furthest-behind living warehouse has yet to store; 0 where there is none. */
  lagOf(partition: number): number {
    return this.lag.get(partition) ?? 0;
  }

  /** A look that is under way changes nothing any more. */
  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const { kafka } = this;
    const groups = await kafka.livingGroups(ANALYTICS_GROUP_PREFIX);
    const states = await Promise.all(
      BLOCK_TOPICS.map(async (topic) => {
        // Offsets first: what is stored meanwhile must not look like a lag.
        const ends = groups.length === 0 ? [] : await kafka.offsets(topic);
        return Promise.all(
          groups.map(async (group) => ({ ends, stored: await kafka.committed(group, topic) })),
        );
      }),
    );
    if (this.closed) return;
    this.lag = furthestBehind(states.flat());
    const held = heldBack(this.lag, this.held);
    const changed = [
      ...[...held].filter((partition) => !this.held.has(partition)),
      ...[...this.held].filter((partition) => !held.has(partition)),
    ];
    this.held = held;
    if (changed.length > 0) this.onChange(changed);
  }

  /** A broker that is away is told of by others; one that does not let this worker look would be told of by nobody. */
  private see(isSeeing: boolean, cause?: unknown): void {
    if (!isSeeing && !this.blind && !this.closed)
      this.log.warn(
        { err: cause },
        'how far warehouses are behind is not known for now; nothing changes until it is',
      );
    this.blind = !isSeeing;
  }
}
