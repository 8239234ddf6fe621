import { type DeadLetterReason } from '../../contracts/dead-letters';
import { type Micros, MICROS_PER_MILLI } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { type Kafka, type PartitionOffsets, type Tail } from '../../platform/kafka';
import { MAX_WINDOW_AHEAD_MICROS } from '../limits';

/** What a block, fence or reject says of where it comes from. */
export interface Origin {
  readonly partition: number;
  /** null for a reject that has none. */
  readonly epoch: number | null;
  /** Start of a block's window; null for what has none. */
  readonly windowStart: Micros | null;
  /** Offset of a reject's event in its partition; null for what is of no single event. */
  readonly eventOffset: number | null;
  /** Time of its record at the broker, in milliseconds. */
  readonly recordMillis: number;
}

/**
 * Tells results that the event log stands behind from others. A single block with a high epoch or a late window would otherwise make all
 * that its partition still delivers count as old.
 */
export interface Origins {
  /** Look up what `faultOf` needs to know of these. */
  prepare(origins: readonly Origin[]): Promise<void>;
  /** Why nothing in the logs stands behind it; undefined for a result of this deployment. */
  faultOf(origin: Origin): { readonly reason: DeadLetterReason; readonly detail: string } | undefined;
  close(): Promise<void>;
}

/** For results that come from no log, such as a backtest's. */
export const TRUSTED: Origins = {
  prepare: () => Promise.resolve(),
  faultOf: () => undefined,
  close: () => Promise.resolve(),
};

/**
 * Three facts bound what a partition can have written. An epoch is the offset of a claim in `stream-checkpoints`, which was appended before
 * anything that carries it. A window closes when an event at or behind its start was read, whose record is at most `futureMicros` older
 * than the event says: so such a record is in the event log by then. And an event is in the log before it is refused.
 */
export class LogOrigins implements Origins {
  private readonly claims = new Map<number, Set<number>>();
  /** By partition: windows that start up to here have an event. */
  private readonly reached = new Map<number, Micros>();
  private sources = new Map<number, PartitionOffsets>();
  private tail: Tail | undefined;

  private constructor(
    private readonly kafka: Kafka,
    private readonly eventTopic: string,
    private readonly futureMicros: Micros,
  ) {}

  static async follow(kafka: Kafka, eventTopic: string, futureMicros: Micros): Promise<LogOrigins> {
    const origins = new LogOrigins(kafka, eventTopic, futureMicros);
    origins.tail = await kafka.tail({
      topic: TOPICS.checkpoints.name,
      from: 'start',
      onRecords: (records) => {
        for (const { partition, offset, key, value } of records)
          if (value !== null && key?.toString().startsWith(CLAIM_KEY) === true)
            origins.claimsOf(partition).add(offset);
      },
    });
    return origins;
  }

  async prepare(origins: readonly Origin[]): Promise<void> {
    if (origins.some((origin) => this.isUnclaimed(origin))) await this.tail?.sync();
    const starts = new Map<number, Set<Micros>>();
    for (const { partition, windowStart } of origins) {
      if (windowStart === null || windowStart <= this.reachOf(partition)) continue;
      starts.set(partition, (starts.get(partition) ?? new Set()).add(windowStart));
    }
    const isUnread = origins.some((origin) => this.isBehindEnd(origin));
    // The ends first: a record that is appended meanwhile must not pass for the one that is sought.
    if (starts.size > 0 || isUnread) await this.lookUpEnds();
    if (starts.size > 0) await this.reach(starts);
  }

  faultOf(origin: Origin): ReturnType<Origins['faultOf']> {
    const { partition, epoch, windowStart, recordMillis } = origin;
    if (this.isUnclaimed(origin))
      return { reason: 'unknown-epoch', detail: `no claim of partition ${partition} has the epoch ${epoch}` };
    if (this.isBehindEnd(origin))
      return {
        reason: 'unread-event',
        detail: `partition ${partition} has no event at offset ${origin.eventOffset}`,
      };
    if (windowStart === null || windowStart <= this.reachOf(partition)) return undefined;
    // Where the log has let events go, one that is gone may have been the latest: then the time of the block itself is the bound.
    const isExpired = (this.sources.get(partition)?.low ?? 0) > 0;
    if (isExpired && windowStart <= recordMillis * MICROS_PER_MILLI + MAX_WINDOW_AHEAD_MICROS)
      return undefined;
    return {
      reason: 'unseen-window',
      detail: `partition ${partition} has no event at or behind ${windowStart} µs since 1970`,
    };
  }

  async close(): Promise<void> {
    await this.tail?.close();
  }

  private claimsOf(partition: number): Set<number> {
    const known = this.claims.get(partition) ?? new Set();
    this.claims.set(partition, known);
    return known;
  }

  private isUnclaimed({ partition, epoch }: Origin): boolean {
    return epoch !== null && !this.claimsOf(partition).has(epoch);
  }

  /** Whether its event is none that the log is known to have. */
  private isBehindEnd({ partition, eventOffset }: Origin): boolean {
    return eventOffset !== null && eventOffset >= (this.sources.get(partition)?.high ?? 0);
  }

  private async lookUpEnds(): Promise<void> {
    this.sources = new Map((await this.kafka.offsets(this.eventTopic)).map((each) => [each.partition, each]));
  }

  private reachOf(partition: number): Micros {
    return this.reached.get(partition) ?? -Infinity;
  }

  /** For each partition, the latest of these windows that an event reaches. Most often it is the latest of all: one request tells. */
  private async reach(starts: ReadonlyMap<number, ReadonlySet<Micros>>): Promise<void> {
    const latest = [...starts].map(([partition, each]) => ({ partition, start: maximum(each) }));
    const furthest = maximum(latest.map(({ start }) => start));
    const found = await this.partitionsWithEventAt(furthest);
    for (const { partition, start } of latest) {
      if (found.has(partition)) this.reached.set(partition, Math.max(start, this.reachOf(partition)));
      else
        await this.search(
          partition,
          [...(starts.get(partition) ?? [])].sort((a, b) => a - b),
        );
    }
  }

  /** Halve the list: where an event lies behind one start, one lies behind all earlier ones. */
  private async search(partition: number, starts: readonly Micros[]): Promise<void> {
    let [known, end] = [0, starts.length];
    while (known < end) {
      const middle = (known + end) >> 1;
      const found = await this.partitionsWithEventAt(starts[middle] ?? Infinity);
      if (found.has(partition)) known = middle + 1;
      else end = middle;
    }
    const reached = starts[known - 1];
    if (reached !== undefined) this.reached.set(partition, reached);
  }

  private async partitionsWithEventAt(start: Micros): Promise<ReadonlySet<number>> {
    const millis = Math.max(0, Math.floor((start - this.futureMicros) / MICROS_PER_MILLI));
    const places = await this.kafka.offsetsAt(this.eventTopic, millis);
    const found = places.filter(({ partition, offset }) => {
      const source = this.sources.get(partition);
      return source !== undefined && source.low < source.high && offset < source.high;
    });
    return new Set(found.map(({ partition }) => partition));
  }
}

const CLAIM_KEY = 'claim/';

function maximum(values: Iterable<number>): number {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, value);
  return most;
}
