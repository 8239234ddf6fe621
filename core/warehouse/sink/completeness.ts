import { type Micros } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { type Kafka } from '../../platform/kafka';
import { LATE_STARTER_HOLD_MS } from '../limits';
import { type Sink } from './sink';

/**
 * Up to where evaluations are complete. A partition that has delivered blocks must have delivered the last of a window. One
 * that has events and no block yet is about to: it is waited for, or the first windows of a run would pass as complete with
 * a part of the devices. After a while it is taken to hold nothing but events that were refused.
 */
export class Completeness {
  private readonly firstSeen = new Map<number, number>();
  private timer: NodeJS.Timeout | undefined;

  /** `onExpired` is called when a partition is waited for no longer. */
  constructor(
    private readonly sink: Sink,
    private readonly kafka: Kafka,
    private readonly partitions: number,
    private readonly onExpired: () => void,
  ) {}

  /** Windows that start before the result are complete; negative infinity while there are none. */
  async before(): Promise<Micros> {
    const delivered = this.sink.marks(TOPICS.analysis.name);
    if (delivered.size >= this.partitions) return this.sink.evaluationsCompleteBefore();
    const offsets = await this.kafka.offsets(TOPICS.stream.name);
    const now = performance.now();
    const expected = offsets
      .filter(({ partition, high }) => high > 0 && !delivered.has(partition))
      .map(({ partition }) => partition)
      .filter((partition) => now - this.seenSince(partition, now) < LATE_STARTER_HOLD_MS);
    if (expected.length > 0) this.askAgainLater();
    return this.sink.evaluationsCompleteBefore(expected);
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private seenSince(partition: number, now: number): number {
    const since = this.firstSeen.get(partition) ?? now;
    this.firstSeen.set(partition, since);
    return since;
  }

  private askAgainLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.onExpired();
    }, LATE_STARTER_HOLD_MS).unref();
  }
}
