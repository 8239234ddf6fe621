import { INGEST_REJECT_HEADERS, type UnmappedReading } from '../contracts/ingest';
import { type SensorName, type Task } from '../contracts/task';
import { TOPICS } from '../contracts/topics';
import { UNDECODABLE_BATCH } from '../contracts/undecodable';
import { partitionOf, type OutgoingMessage, type Producer } from '../platform/kafka';
import { EventWriter } from './canonical';
import { INGEST_LIMITS } from './limits';
import { type Mapping } from './mapping';
import { type IngestMetrics } from './metrics';
import { type MappedMessage } from './readings';

/** A message as its source gives it. */
export interface SourceMessage {
  readonly bytes: Uint8Array;
  /** Topic of Kafka or MQTT. */
  readonly topic: string;
  /** Place in a topic of Kafka. */
  readonly partition?: number;
  readonly offset?: number;
  /** Milliseconds since 1970 of the source's record; left out: now. */
  readonly timestampMillis?: number;
  /** Why the batch that it stands for could not be read; its bytes are the batch's. */
  readonly undecodable?: string;
}

const NO_BYTES = new Uint8Array(0);

/** What came of some messages, on its way to Kafka. */
class Parcel {
  readonly events: OutgoingMessage[] = [];
  readonly rejects: OutgoingMessage[] = [];
  readonly reasons: string[] = [];
  readonly badValues: SensorName[] = [];
  /** Of the messages. */
  bytes = 0;
  mapped = 0;
  rejected = 0;
  restamped = 0;
  readonly delivered: Promise<void>;
  resolve: () => void = () => undefined;

  constructor() {
    this.delivered = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}

function unreadable(detail: string): MappedMessage {
  return { readings: [], rejects: [{ reason: UNDECODABLE_BATCH, path: '/', detail }] };
}

/**
 * Turns messages into canonical events and hands them to Kafka, in order. While one request is under way, what comes next is mapped and
 * gathered for the one after it. Once a send fails for good nothing more goes out, and nothing is reported as delivered.
 */
export class Delivery {
  private readonly writer: EventWriter;
  private readonly queue: Parcel[] = [];
  /** Partitions of devices. */
  private readonly homes = new Map<string, number>();
  private pending = 0;
  private pendingBytes = 0;
  private isSending = false;
  private hasFailed = false;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly mapping: Mapping,
    task: Task,
    private readonly producer: Producer,
    /** Of `edge-iiot-stream`: those over which devices are spread. */
    private readonly partitions: number,
    private readonly metrics: IngestMetrics,
    private readonly onFailure: (cause: Error) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.writer = new EventWriter(task);
  }

  /** Events handed on and not acknowledged yet. */
  get pendingEvents(): number {
    return this.pending;
  }

  get isFull(): boolean {
    return this.pending > INGEST_LIMITS.pendingEvents || this.pendingBytes > INGEST_LIMITS.pendingBytes;
  }

  /** Map messages at once. @returns a promise that resolves when Kafka has every event and reject of them; it never rejects. */
  deliver(messages: Iterable<SourceMessage>): Promise<void> {
    const parcel = new Parcel();
    const latest = this.now() + INGEST_LIMITS.stampAheadMillis;
    for (const message of messages) this.map(message, parcel, latest);
    return this.enqueue(parcel);
  }

  /** Put aside what is no message. @returns a promise that resolves when Kafka has it; it never rejects. */
  putAside(topic: string, reject: UnmappedReading): Promise<void> {
    const parcel = new Parcel();
    parcel.rejects.push(rejectMessage({ bytes: NO_BYTES, topic }, reject, 0, {}));
    parcel.reasons.push(reject.reason);
    return this.enqueue(parcel);
  }

  /** Resolves when there is room again, or when nothing goes out any more. */
  whenRoom(): Promise<void> {
    return this.until(() => !this.isFull);
  }

  /** Resolves when Kafka has all of it, or when nothing goes out any more. */
  settled(): Promise<void> {
    return this.until(() => this.queue.length === 0 && !this.isSending);
  }

  private async until(isTrue: () => boolean): Promise<void> {
    while (!this.hasFailed && !isTrue()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private enqueue(parcel: Parcel): Promise<void> {
    this.pending += parcel.events.length + parcel.rejects.length;
    this.pendingBytes += parcel.bytes;
    this.queue.push(parcel);
    if (!this.isSending && !this.hasFailed) void this.drain();
    return parcel.delivered;
  }

  private map(message: SourceMessage, parcel: Parcel, latest: number): void {
    const { readings, rejects } =
      message.undecodable === undefined
        ? this.mapping.ofBytes(message.bytes, message.topic)
        : unreadable(message.undecodable);
    parcel.bytes += message.bytes.length;
    const stamp = this.stampOf(message, parcel, latest);
    for (const reading of readings) {
      parcel.events.push({
        key: reading.deviceId,
        partition: this.partitionOf(reading.deviceId),
        value: this.writer.write(reading),
        ...stamp,
      });
      if (reading.badValues.length > 0) parcel.badValues.push(...reading.badValues);
    }
    if (readings.length > 0) parcel.mapped += 1;
    else parcel.rejected += 1;
    rejects.forEach((reject, index) => {
      parcel.rejects.push(rejectMessage(message, reject, index, stamp));
      parcel.reasons.push(reject.reason);
    });
  }

  /** As the producer would choose it, which takes as long as the rest of an event's way. */
  private partitionOf(deviceId: string): number {
    const known = this.homes.get(deviceId);
    if (known !== undefined) return known;
    const partition = partitionOf(deviceId, this.partitions);
    if (this.homes.size >= INGEST_LIMITS.devicesRemembered) this.homes.clear();
    this.homes.set(deviceId, partition);
    return partition;
  }

  private stampOf({ timestampMillis }: SourceMessage, parcel: Parcel, latest: number): Stamp {
    // A record of the oldest format has none, which reads as −1.
    if (timestampMillis === undefined || timestampMillis < 0) return {};
    if (timestampMillis <= latest) return { timestampMillis };
    parcel.restamped += 1;
    return { timestampMillis: latest - INGEST_LIMITS.stampAheadMillis };
  }

  private async drain(): Promise<void> {
    this.isSending = true;
    // Messages that arrive in the same turn of the event loop share the first request.
    await Promise.resolve();
    while (this.queue.length > 0 && !this.hasFailed) {
      const parcels = this.nextParcels();
      try {
        await Promise.all([
          this.send(
            TOPICS.stream.name,
            parcels.flatMap(({ events }) => events),
          ),
          this.send(
            TOPICS.ingestRejects.name,
            parcels.flatMap(({ rejects }) => rejects),
          ),
        ]);
        for (const parcel of parcels) this.settle(parcel);
      } catch (cause) {
        this.hasFailed = true;
        this.onFailure(cause instanceof Error ? cause : new Error(String(cause)));
      }
      for (const wake of this.waiting.splice(0)) wake();
    }
    this.isSending = false;
    for (const wake of this.waiting.splice(0)) wake();
  }

  private async send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    if (messages.length > 0) await this.producer.send(topic, messages);
  }

  private nextParcels(): readonly Parcel[] {
    let events = 0;
    let count = 0;
    for (const parcel of this.queue) {
      events += parcel.events.length + parcel.rejects.length;
      if (count > 0 && events > INGEST_LIMITS.eventsPerSend) break;
      count += 1;
    }
    return this.queue.splice(0, count);
  }

  private settle(parcel: Parcel): void {
    const { messages, readings, rejects, badValues, restamped } = this.metrics;
    this.pending -= parcel.events.length + parcel.rejects.length;
    this.pendingBytes -= parcel.bytes;
    messages.inc({ outcome: 'mapped' }, parcel.mapped);
    messages.inc({ outcome: 'rejected' }, parcel.rejected);
    readings.inc(parcel.events.length);
    restamped.inc(parcel.restamped);
    for (const reason of parcel.reasons) rejects.inc({ reason });
    for (const sensor of parcel.badValues) badValues.inc({ sensor });
    parcel.resolve();
  }
}

type Stamp = Pick<OutgoingMessage, 'timestampMillis'>;

/**
 * @param index of the reject among those of its message: the first carries the message.
 * @param stamp the record's time
 */
function rejectMessage(
  { bytes, topic, partition, offset, timestampMillis }: SourceMessage,
  { reason, path, detail }: UnmappedReading,
  index: number,
  stamp: Stamp,
): OutgoingMessage {
  const { rejectedBytes } = INGEST_LIMITS;
  const value = index > 0 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(0, rejectedBytes));
  return {
    key: partition === undefined ? topic : `${topic}/${partition}/${offset ?? 0}/${index}`,
    value,
    headers: {
      [INGEST_REJECT_HEADERS.reason]: reason,
      [INGEST_REJECT_HEADERS.path]: path,
      [INGEST_REJECT_HEADERS.detail]: detail,
      [INGEST_REJECT_HEADERS.topic]: topic,
      ...(partition === undefined ? {} : { [INGEST_REJECT_HEADERS.partition]: String(partition) }),
      ...(offset === undefined ? {} : { [INGEST_REJECT_HEADERS.offset]: String(offset) }),
      [INGEST_REJECT_HEADERS.size]: String(bytes.length),
      ...(stamp.timestampMillis === timestampMillis ? {} : { [INGEST_REJECT_HEADERS.restamped]: 'true' }),
    },
    ...stamp,
  };
}
