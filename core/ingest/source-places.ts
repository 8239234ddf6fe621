import { areTwoLogs } from '../contracts/log-ids';
import { type Source } from '../contracts/source';
import { MICROS_PER_MILLI } from '../contracts/time';
import { microsOfText } from '../contracts/timestamps';
import { INGEST_GROUP, foreignTopic } from '../contracts/topics';
import { type RememberedLog } from '../contracts/ingest-memory';
import { type CommittedPlace, type Kafka, type Position } from '../platform/kafka';
import { type ExpiredRecords } from '../platform/kafka/log-gap';
import { endsOf } from '../platform/kafka/topic-offsets';
import { type Logger } from '../platform/log';
import { type SourceMemory } from './source-memory';

/** Between two writings of the places: so much is read twice at most, or counts as skipped, where only they are left. */
const KEEP_MILLIS = 10_000;

/** Where a partition is read from. */
export interface SourcePlace {
  /** What comes first to be read, as far as is known. */
  readonly begins: number;
  /** What the group has committed in this log; undefined where it has nothing. */
  readonly committed: number | undefined;
  /** The first offset that the topic has. */
  readonly low: number;
  /** The log is not the one that was read under this name before. */
  readonly isNewLog: boolean;
  /** Messages that another program has moved the group past, without anybody reading them. */
  readonly skipped?: ExpiredRecords;
}

interface AssignedPlaces {
  /** Of the log that they are in; empty where the broker tells none. */
  readonly logId: string;
  readonly byPartition: ReadonlyMap<number, SourcePlace>;
}

interface SourcePlacesOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly from: Source['from'];
  readonly memory: SourceMemory;
  readonly log: Logger;
}

/**
 * Where the group stands in its source, and in which log of that name: a topic that was deleted and made anew begins with offsets that were read
 * before, so that a place counts in the log alone that it was committed for.
 */
export class SourcePlaces {
  private readonly name: string;
  private id = '';
  private keptAt = -Infinity;

  constructor(private readonly options: SourcePlacesOptions) {
    this.name = foreignTopic(options.topic);
  }

  /** Of the log that is read; empty where the broker tells none. */
  get logId(): string {
    return this.id;
  }

  /** Decide where the first worker begins. */
  async prepare(): Promise<void> {
    const { kafka, topic, from, memory } = this.options;
    await memory.refresh();
    if (memory.hasRead(topic)) return;
    if (from !== 'earliest') await kafka.startGroup(INGEST_GROUP, this.name, instantOf(from));
    const partitions = (await kafka.offsets(this.name)).map(({ partition }) => ({ partition }));
    await memory.remember(topic, partitions, await kafka.logId(this.name));
  }

  /**
   * Where partitions that were just assigned are read from. Of a log that was not read before, everything is to be read, also what it has let go
   * already; and so of a partition that the topic got later.
   */
  async assigned(partitions: readonly number[]): Promise<AssignedPlaces> {
    const { kafka, topic, memory } = this.options;
    await memory.refresh();
    const logId = await kafka.logId(this.name);
    const places = await kafka.committed(INGEST_GROUP, this.name);
    const ends = await kafka.offsets(this.name);
    const byPartition = new Map(
      partitions.map((partition): [number, SourcePlace] => {
        const { low, high } = endsOf(ends, partition);
        const before = memory.logOf(topic, partition);
        const isNewLog = areTwoLogs(before?.log_id ?? '', logId);
        const place = isNewLog ? undefined : places.find((one) => one.partition === partition);
        const committed = place?.offset;
        if (isNewLog || before === undefined)
          return [partition, { begins: committed ?? 0, committed, low, isNewLog }];
        if (committed === undefined && before.offset !== undefined)
          this.warnOfLostPlace(partition, before.offset);
        const begins = committed ?? before.offset ?? low;
        const skipped = skippedBy(place, before, high);
        return [partition, { begins, committed, low, isNewLog, ...(skipped !== undefined && { skipped }) }];
      }),
    );
    return { logId, byPartition };
  }

  /** This log is read from now on. */
  enter(logId: string): void {
    this.id = logId;
  }

  /** Whether another log has taken the place of the one that is read. */
  async isReplaced(): Promise<boolean> {
    return areTwoLogs(this.id, await this.options.kafka.logId(this.name));
  }

  /**
   * What is committed for these partitions counts in the log that is read. The places themselves are written down every ten seconds: brokers forget those of a group
   * that nobody was in for a week.
   * @param isLast nothing more will be committed
   */
  async keep(committed: readonly Position[], isLast: boolean): Promise<void> {
    const { memory, topic } = this.options;
    const now = performance.now();
    const isDue = isLast || now - this.keptAt >= KEEP_MILLIS;
    const changed = committed.filter(({ partition, offset }) => {
      const known = memory.logOf(topic, partition);
      const isNew = known?.log_id !== this.id || known.offset === undefined;
      return isNew || (isDue && known.offset !== offset);
    });
    if (isDue) this.keptAt = now;
    const noted = changed.map((place) => ({ ...place, commits: 'noted' as const }));
    if (noted.length > 0) await memory.remember(topic, noted, this.id);
  }

  private warnOfLostPlace(partition: number, offset: number): void {
    const { topic, log } = this.options;
    log.warn(
      { topic, partition, offset },
      'the brokers have forgotten how far the group had read: it goes on from the place that was written down last, up to ten seconds before that; what comes twice is put aside as duplicate',
    );
  }
}

/**
 * What lies between the place that was written down and one that another program has set ahead of it. The former is up to ten seconds old where
 * the last worker was killed: what it read in them counts as well.
 * @param high where the topic ends; a place behind it is none
 */
function skippedBy(
  place: CommittedPlace | undefined,
  before: RememberedLog,
  high: number,
): ExpiredRecords | undefined {
  const { offset: from, commits } = before;
  if (place === undefined || place.isOurs || from === undefined || commits === undefined) return undefined;
  const { offset: until } = place;
  return from < until && until <= high ? { kind: 'expired', from, until } : undefined;
}

/** @returns milliseconds since 1970, or `latest`. */
function instantOf(from: Exclude<Source['from'], 'earliest'>): number | 'latest' {
  return from === 'latest' ? from : Math.ceil(microsOfText(from) / MICROS_PER_MILLI);
}
