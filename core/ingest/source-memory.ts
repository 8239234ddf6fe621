import {
  INGEST_MEMORY_DEVICES,
  ingestMemoryDevicesSchema,
  ingestMemoryLogKey,
  ingestMemoryLogSchema,
  placeOfIngestMemoryKey,
  type RememberedLog,
} from '../contracts/ingest-memory';
import { areTwoLogs } from '../contracts/log-ids';
import { TOPICS } from '../contracts/topics';
import { parseJson } from '../contracts/validation';
import {
  type IncomingRecord,
  type Kafka,
  type OutgoingMessage,
  type PartitionOffsets,
  type Producer,
  type Tail,
} from '../platform/kafka';
import { type Logger } from '../platform/log';

const { name: NAME } = TOPICS.ingestMemory;

/** Between two looks: after a restart in between, devices could be spread anew. */
const LOOK_MS = 5_000;

/** What ingest workers have written down in `ingest-memory`, this one and others. */
export class SourceMemory {
  /** By topic and partition. */
  private readonly logs = new Map<string, Map<number, RememberedLog>>();
  private partitions: number | undefined;
  private tail: Tail | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Of the topic itself; empty where the broker tells none. */
  private logId = '';

  private constructor(
    private readonly kafka: Kafka,
    private readonly producer: Producer,
    private readonly log: Logger,
  ) {}

  static async open(kafka: Kafka, producer: Producer, log: Logger): Promise<SourceMemory> {
    const memory = new SourceMemory(kafka, producer, log);
    memory.logId = await kafka.logId(NAME);
    memory.tail = await kafka.tail({
      topic: NAME,
      from: 'start',
      onRecords: (records) => {
        for (const record of records) memory.take(record);
      },
    });
    await memory.tail.caughtUp;
    return memory;
  }

  /** Look from time to time whether the topic is still there. */
  keep(): void {
    this.timer ??= setInterval(() => {
      this.refresh().catch((err: unknown) => {
        this.log.debug({ err }, `whether ${NAME} is there is not known for now: the broker does not say`);
      });
    }, LOOK_MS).unref();
  }

  /** Know what others have written by now. Where the topic was deleted, it is filled again with what this worker knows: a restart knows as much then. */
  async refresh(): Promise<void> {
    const found = await this.kafka.logId(NAME);
    // Brokers that tell no ids have to be asked for the topic.
    const isMissing = found === '' && (await this.kafka.partitions(NAME)) === undefined;
    if (isMissing) await this.kafka.createTopics([TOPICS.ingestMemory]);
    const logId = isMissing ? await this.kafka.logId(NAME) : found;
    if (isMissing || areTwoLogs(this.logId, logId)) await this.fill();
    else await this.tail?.sync();
    this.logId = logId;
  }

  /** Whether a log of that name was ever read. */
  hasRead(topic: string): boolean {
    return this.logs.has(topic);
  }

  /** @returns the log that was read in a partition, and how far; undefined where none was. */
  logOf(topic: string, partition: number): RememberedLog | undefined {
    return this.logs.get(topic)?.get(partition);
  }

  /** These partitions are read in this log from now on, up to these offsets by now; what is committed for them counts in it. */
  async remember(
    topic: string,
    places: readonly (Omit<RememberedLog, 'log_id'> & { readonly partition: number })[],
    logId: string,
  ): Promise<void> {
    const logs = places.map(({ partition, ...place }) => ({ partition, log: { log_id: logId, ...place } }));
    await this.producer.send(
      NAME,
      logs.map(({ partition, log }) => messageOf(ingestMemoryLogKey(topic, partition), log)),
    );
    for (const { partition, log } of logs) this.note(topic, partition, log);
  }

  /**
   * Over how many partitions devices are spread: those that the topic of events had when the first worker wrote to it. One that is added later
   * gets none: what is read again after a crash would stand in two partitions, and a device's windows would be made of a part of its readings each.
   * @param topic the partitions that it has now
   */
  async spread(topic: readonly Pick<PartitionOffsets, 'high'>[]): Promise<number> {
    const { partitions } = this;
    const present = topic.length;
    if (partitions !== undefined && partitions <= present) {
      if (partitions < present)
        this.log.warn(
          { partitions: present, used: partitions },
          'the topic of events has more partitions than devices were spread over: devices stay where they are; to use all, give the fleet another KAFKA_TOPIC_PREFIX',
        );
      return partitions;
    }
    if (topic.some(({ high }) => high > 0))
      this.log.warn(
        { partitions: present, before: partitions },
        `${NAME} does not say over how many partitions devices are spread, as after an upgrade or where it was deleted: from now on it is all that the topic has; where partitions were added before, the view split_devices names the devices that move by this`,
      );
    await this.producer.send(NAME, [messageOf(INGEST_MEMORY_DEVICES, { partitions: present })]);
    this.partitions = present;
    return present;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.tail?.close();
  }

  private async fill(): Promise<void> {
    const { partitions } = this;
    this.log.error(`${NAME} was deleted: what this worker knows is written into a new one`);
    await this.producer.send(NAME, [
      ...(partitions === undefined ? [] : [messageOf(INGEST_MEMORY_DEVICES, { partitions })]),
      ...[...this.logs].flatMap(([topic, logs]) =>
        [...logs].map(([partition, log]) => messageOf(ingestMemoryLogKey(topic, partition), log)),
      ),
    ]);
  }

  private take(record: IncomingRecord): void {
    const spread = spreadIn(record);
    const place = placeOfIngestMemoryKey(record.key?.toString() ?? '');
    const logged = ingestMemoryLogSchema.safeParse(parseJson(record.value)).data;
    if (spread !== undefined) this.partitions = spread;
    else if (place !== undefined && logged !== undefined) this.note(place.topic, place.partition, logged);
    else {
      const { offset } = record;
      this.log.warn({ offset }, `passed over a message of ${NAME} that is not ours`);
    }
  }

  private note(topic: string, partition: number, log: RememberedLog): void {
    const partitions = this.logs.get(topic) ?? new Map<number, RememberedLog>();
    this.logs.set(topic, partitions.set(partition, log));
  }
}

/** Over how many partitions ingest workers have spread the devices; undefined where none has run. */
export async function readSpread(kafka: Kafka): Promise<number | undefined> {
  // Made by workers of this release.
  if ((await kafka.partitions(NAME)) === undefined) return undefined;
  let spread: number | undefined;
  const tail = await kafka.tail({
    topic: NAME,
    from: 'start',
    onRecords: (records) => {
      for (const record of records) spread = spreadIn(record) ?? spread;
    },
  });
  await tail.caughtUp;
  await tail.close();
  return spread;
}

function spreadIn({ key, value }: IncomingRecord): number | undefined {
  if (key?.toString() !== INGEST_MEMORY_DEVICES) return undefined;
  return ingestMemoryDevicesSchema.safeParse(parseJson(value)).data?.partitions;
}

function messageOf(key: string, content: object): OutgoingMessage {
  return { key, value: JSON.stringify(content) };
}
