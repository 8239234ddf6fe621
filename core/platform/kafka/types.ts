import { type Undecodable } from '../../contracts/undecodable';
import { type SignatureVerdict } from '../deployment-keys';

/**
 * The data plane behind a small interface, so that another client library could take kafkajs' place.
 * Offsets are numbers: exact to 2^53, a few hundred years at a million records a second.
 */

export interface OutgoingMessage {
  readonly key: string | null;
  readonly value: Buffer | string | null;
  /** Left out: chosen by key as Java's client does (murmur2). */
  readonly partition?: number;
  /** Milliseconds since 1970; left out: now. */
  readonly timestampMillis?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Topic {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** Whether who waits to write to it makes it again where it was deleted; left out: no. */
  readonly remade?: boolean;
}

export interface Position {
  readonly partition: number;
  readonly offset: number;
}

/** What a consumer group will read next. */
export interface CommittedPlace extends Position {
  /** Committed by one of our workers; false where another program has set it, such as Kafka's own tool. */
  readonly isOurs: boolean;
}

export interface Producer {
  /**
   * Append messages to a topic, acknowledged by all in-sync replicas. Large batches are split below the broker's limit.
   * A partition that was added a moment ago is waited for.
   * @returns per partition written to, the offset of the first message of its last batch.
   */
  send(topic: string, messages: readonly OutgoingMessage[]): Promise<readonly Position[]>;
  disconnect(): Promise<void>;
}

export interface IncomingRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMillis: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** This is no record, but a batch that cannot be read, at the offset of its first record; the value is its bytes. */
  readonly undecodable?: Undecodable;
  /** Of a topic that is signed; left out where this process trusts whoever may write. */
  readonly signature?: SignatureVerdict | undefined;
}

export interface TailOptions {
  readonly topic: string;
  /** `start`: the whole log. `end`: only what is appended from now on. */
  readonly from: 'start' | 'end';
  /** Whether `onRecords` gets batches that cannot be read; left out: the log warns of them, and they are passed over. */
  readonly withUndecodable?: boolean;
  /** Why a log that is another one ends the tail; left out: it is followed from its beginning. */
  readonly whenReplaced?: (partition: number) => Error;
  /** Takes records of one partition, in log order, one call at a time. An error that it throws ends the tail. */
  readonly onRecords: (records: readonly IncomingRecord[]) => Promise<void> | void;
}

/** Its promises reject with `KafkaUnavailable` when the tail cannot go on. It waits for a broker that is away. */
export interface Tail {
  /** Resolves when everything that was in the log at the start has gone through `onRecords`. */
  readonly caughtUp: Promise<void>;
  /** Resolves when everything that is in the log now has gone through `onRecords`: own and others' writes. */
  sync(): Promise<void>;
  /** Resolves when the record at this offset has gone through `onRecords`. */
  reached(partition: number, offset: number): Promise<void>;
  close(): Promise<void>;
}

/** A batch as it came from the broker; its records are not converted, for the hot path. */
export interface RawBatch {
  readonly topic: string;
  readonly partition: number;
  /** Offset that was asked for: where it is not the next one, the broker did not have that. */
  readonly from: number;
  /** None where the batch holds only markers, or records of aborted transactions. */
  readonly records: readonly RawRecord[];
  /** Offset behind all that the batch holds: at least one more than that of the last record. */
  readonly next: number;
  /** Offset after the last record that the partition holds now. */
  readonly highWatermark: number;
  /** Keep the membership alive during long work; at most one call every heartbeat interval does anything. */
  readonly heartbeat: () => Promise<void>;
  /** False once the partition was taken away or the consumer seeks or stops: drop the work. */
  readonly isCurrent: () => boolean;
  /** Everything before this offset is done; the next fetch goes on there. */
  readonly resolve: (next: number) => void;
}

/** Offset and timestamp are numbers, or texts of numbers where the library itself read the response. */
export interface RawRecord {
  readonly offset: string | number;
  readonly timestamp: string | number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Where the value lies, to read it without a view of its own; left out where the library read the response. */
  readonly response?: Buffer;
  readonly valueStart?: number;
  /** Negative: there is no value. */
  readonly valueLength?: number;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
  /** As `IncomingRecord` has it. */
  readonly undecodable?: Undecodable | undefined;
  readonly signature?: SignatureVerdict | undefined;
}

export interface GroupConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /**
   * Called before the first batch of a new assignment, with the partitions of each topic that this member now has. `consumer` is the
   * one that `consume` resolves with: the first assignment may come before that.
   */
  readonly onAssigned: (
    assignment: ReadonlyMap<string, readonly number[]>,
    consumer: GroupConsumer,
  ) => Promise<void> | void;
  readonly onBatch: (batch: RawBatch) => Promise<void>;
  /** The consumer has ended for good; a mere reconnect is not reported. */
  readonly onFailure: (cause: Error) => void;
  /** Partitions worked on at once. */
  readonly concurrency?: number;
}

export interface GroupConsumer {
  seek(topic: string, partition: number, offset: number): void;
  pause(topic: string, partitions: readonly number[]): void;
  resume(topic: string, partitions: readonly number[]): void;
  /** Commit the next offset to read. */
  commit(positions: readonly (Position & { readonly topic: string })[]): Promise<void>;
  /** When the broker last accepted a heartbeat of this member, as `performance.now()` has it; negative infinity before the first. */
  heartbeatAt(): number;
  stop(): Promise<void>;
}

export interface PartitionOffsets {
  readonly partition: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How long a request is retried while the broker is away. `step`: half a minute, so that an attempt at a step of a workflow has failed before
 * Temporal starts the next one. `outage`: a day and more, for services that go on by themselves.
 */
export type RetryPolicy = 'step' | 'outage';

export interface Kafka {
  /** Which logs these are: the id of the cluster, and what is put before the names of topics. */
  identity(): Promise<string>;
  /** Make the topics that are missing; existing ones are left as they are. */
  createTopics(topics: readonly Topic[]): Promise<void>;
  /** How many partitions a topic has; undefined when there is no such topic. */
  partitions(topic: string): Promise<number | undefined>;
  /** Which log stands behind a topic's name, as `contracts/log-ids.ts` has it; empty where there is no such topic, or the broker tells no ids. */
  logId(topic: string): Promise<string>;
  /** Give the topics at least so many partitions; those that have as many are left as they are. */
  growTopics(topics: readonly string[], partitions: number): Promise<void>;
  /** What can be read: records of open transactions lie behind `high`. */
  offsets(topic: string): Promise<readonly PartitionOffsets[]>;
  /** Per partition the offset of the first record with that timestamp or a later one; the end where there is none. */
  offsetsAt(topic: string, timestampMillis: number): Promise<readonly Position[]>;
  /** The next offset that a consumer group will read, of the partitions for which it has committed one. */
  committed(groupId: string, topic: string): Promise<readonly CommittedPlace[]>;
  /**
   * Decide where a consumer group that has never read begins, in every partition that the topic has now; a group that has read, or has
   * members, goes on where it is. A partition that is added later is read from its beginning.
   * @param from `latest`, or milliseconds since 1970 of the first records to read.
   */
  startGroup(groupId: string, topic: string, from: 'latest' | number): Promise<void>;
  /** Consumer groups whose name starts with `prefix` and that have a living member now. */
  livingGroups(prefix: string): Promise<readonly string[]>;
  /** @param retryPolicy `step` when left out; a send rejects when its retries are used up. */
  producer(retryPolicy?: RetryPolicy): Promise<Producer>;
  tail(options: TailOptions): Promise<Tail>;
  consume(options: GroupConsumerOptions): Promise<GroupConsumer>;
  /** Rejects when a topic is not followed any further: a process that went on would work on what it knew by then, for ever. */
  readonly failed: Promise<never>;
  /** What keeps us from a broker that has let us in before, such as a changed password or a lost network; undefined while all is well. */
  trouble(): { readonly message: string; readonly hint: string } | undefined;
  disconnect(): Promise<void>;
}
