/**
 * Metadata of topics in version 10 of the protocol, the first that has their ids.
 * Format: "Metadata Request (Version: 10)" in Kafka's protocol documentation. From version 9 on it is "flexible" (KIP-482): lengths are
 * varints, one more than they count, and structures end with tagged fields, of which none is used here.
 */
export const METADATA_VERSION = 10;

const NO_TOPIC_ID = Buffer.alloc(16);
const NO_TAGS = 0;

/** What the library hands on of each topic, and its id. */
interface TopicMetadata {
  readonly topicErrorCode: number;
  readonly topic: string | null;
  /** 32 hexadecimal digits. */
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitionMetadata: readonly PartitionMetadata[];
}

interface PartitionMetadata {
  readonly partitionErrorCode: number;
  readonly partitionId: number;
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/** As the library's own readers of older versions have it. */
export interface MetadataResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly brokers: readonly {
    readonly nodeId: number;
    readonly host: string | null;
    readonly port: number;
    readonly rack: string | null;
  }[];
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly topicMetadata: readonly TopicMetadata[];
}

/**
 * What stands behind the client's id in the request, the end of its header included.
 * @param topics none: all that there are
 */
export function encodeMetadataRequest(topics: readonly string[], mayMakeTopics: boolean): Buffer {
  const parts = [Buffer.of(NO_TAGS), topics.length === 0 ? Buffer.of(0) : varint(topics.length + 1)];
  for (const topic of topics) {
    const name = Buffer.from(topic);
    parts.push(NO_TOPIC_ID, varint(name.length + 1), name, Buffer.of(NO_TAGS));
  }
  const withClusterRights = 0;
  const withTopicRights = 0;
  parts.push(Buffer.of(Number(mayMakeTopics), withClusterRights, withTopicRights, NO_TAGS));
  return Buffer.concat(parts);
}

/** @param answer what stands behind the number of the request. @throws RangeError where it ends too early. */
export function decodeMetadataResponse(answer: Buffer): MetadataResponse {
  const cursor = new Cursor(answer);
  cursor.skipTags();
  return {
    // The broker has answered before it throttles (KIP-219): the client waits.
    throttleTime: 0,
    clientSideThrottleTime: cursor.int32(),
    brokers: cursor.list(() =>
      cursor.tagged({
        nodeId: cursor.int32(),
        host: cursor.text(),
        port: cursor.int32(),
        rack: cursor.text(),
      }),
    ),
    clusterId: cursor.text(),
    controllerId: cursor.int32(),
    topicMetadata: cursor.list(() => topicOf(cursor)),
  };
}

function topicOf(cursor: Cursor): TopicMetadata {
  const topic = {
    topicErrorCode: cursor.int16(),
    topic: cursor.text(),
    topicId: cursor.id(),
    isInternal: cursor.int8() !== 0,
    partitionMetadata: cursor.list(() => partitionOf(cursor)),
  };
  // What we may do with it, which was not asked for.
  cursor.int32();
  return cursor.tagged(topic);
}

function partitionOf(cursor: Cursor): PartitionMetadata {
  const head = {
    partitionErrorCode: cursor.int16(),
    partitionId: cursor.int32(),
    leader: cursor.int32(),
  };
  // The leader's epoch.
  cursor.int32();
  const numbers = (): readonly number[] => cursor.list(() => cursor.int32());
  return cursor.tagged({ ...head, replicas: numbers(), isr: numbers(), offlineReplicas: numbers() });
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Reads values one after the other. */
class Cursor {
  private at = 0;

  constructor(private readonly buffer: Buffer) {}

  int8(): number {
    return this.buffer.readInt8(this.forward(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.forward(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.forward(4));
  }

  id(): string {
    const from = this.forward(NO_TOPIC_ID.length);
    return this.buffer.toString('hex', from, this.at);
  }

  text(): string | null {
    const length = this.varint() - 1;
    if (length < 0) return null;
    const from = this.forward(length);
    return this.buffer.toString('utf8', from, this.at);
  }

  list<Item>(readItem: () => Item): readonly Item[] {
    const count = this.varint() - 1;
    const items: Item[] = [];
    while (items.length < count) items.push(readItem());
    return items;
  }

  /** What was read, once the tagged fields behind it are passed. */
  tagged<Read>(read: Read): Read {
    this.skipTags();
    return read;
  }

  skipTags(): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      this.varint();
      this.forward(this.varint());
    }
  }

  private varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.forward(1));
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value >>> 0;
    }
  }

  /** Pass some bytes. @returns where they begin. */
  private forward(bytes: number): number {
    const from = this.at;
    this.at += bytes;
    if (this.at > this.buffer.length) throw new RangeError('the answer ends within a value');
    return from;
  }
}
