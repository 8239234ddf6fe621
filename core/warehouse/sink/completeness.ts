import { type Micros } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { type Kafka } from '../../platform/kafka';
import { MAX_FIRST_BLOCK_WAIT_MS, PARTITIONS_LOOK_MS } from '../limits';
import { type IdlePartitions } from './idle-partitions';
import { earliest } from './marks';
import { type Sink } from './sink';

/**
 * Up to which window evaluations are complete. A partition that has delivered blocks must have delivered the last one of a window. One
 * without events delivers none: a fleet of few devices may have such partitions for ever.
 * A partition with events and without a block is waited for: else the first windows of a run would count as complete with some of
 * the devices. After a while such a partition is assumed to hold rejected events alone. One that is idle is not waited for either.
 */
export class Completeness {
  private readonly firstSeen = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;
  private lookedAt = performance.now();

  /**
   * @param partitions that the topic of events has now; it may grow.
   * @param onExpired called when a partition is no longer waited for.
   */
  constructor(
    private readonly sink: Sink,
    private readonly kafka: Kafka,
    private readonly eventTopic: string,
    private partitions: number,
    private readonly idle: Pick<IdlePartitions, 'among'>,
    private readonly onExpired: () => void,
  ) {}

  /** How many partitions the topic of events had when it was last looked at. */
  get partitionCount(): number {
    return this.partitions;
  }

  /** Windows that start before the result are complete; negative infinity while there are none. */
  async before(): Promise<Micros> {
    const delivered = this.sink.partitionsWithBlocks(TOPICS.analysis.name);
    const now = performance.now();
    const isKnown = delivered.size >= this.partitions && now - this.lookedAt < PARTITIONS_LOOK_MS;
    if (isKnown) return this.completeBefore();
    const offsets = await this.kafka.offsets(this.eventTopic);
    this.partitions = offsets.length;
    this.lookedAt = now;
    const expected = offsets
      .filter(({ partition, high }) => high > 0 && !delivered.has(partition))
      .map(({ partition }) => partition)
      .filter((partition) => now - this.seenSince(partition, now) < MAX_FIRST_BLOCK_WAIT_MS);
    if (expected.length > 0) this.recheckLater();
    return this.completeBefore(expected);
  }

  private async completeBefore(expected: readonly number[] = []): Promise<Micros> {
    const bounds = this.sink.evaluationBounds(expected);
    const idle = await this.idle.among(bounds);
    return earliest([...bounds].flatMap(([partition, before]) => (idle.has(partition) ? [] : [before])));
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private seenSince(partition: number, now: number): number {
    const since = this.firstSeen.get(partition) ?? now;
    this.firstSeen.set(partition, since);
    return since;
  }

  private recheckLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.onExpired();
    }, MAX_FIRST_BLOCK_WAIT_MS).unref();
  }
}
