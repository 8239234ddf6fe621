import { randomUUID } from 'node:crypto';
import { type Admin, type Batch, type Consumer, type EachBatchPayload, type Kafka as KafkaJs } from 'kafkajs';
import { FedloopError, messageOf } from '../../contracts/errors';
import { undecodableSentence } from '../../contracts/undecodable';
import { type Logger } from '../log';
import { HEARTBEATS_PER_SESSION, METADATA_MAX_AGE_MS, orDisconnect } from './group-consumer';
import { orNotAllowed } from './kafka-trouble';
import { gapSentence, logGap } from './log-gap';
import { recordsOf, toIncoming } from './records';
import { topicOffsets } from './topic-offsets';
import { type PartitionOffsets, type Position, type Tail, type TailOptions } from './types';

/**
 * How long a fetch of a quiet topic waits; a record that comes ends the wait at once. A tail that closes waits for the fetch that runs,
 * and each fetch costs both sides some processor time.
 */
const MAX_WAIT_MS = 250;
/** Partitions worked on at once: enough that one slow partition does not hold up the rest. */
const CONCURRENCY = 4;

/**
 * Follow a whole topic from one process. The client cannot be assigned partitions by hand, so each tail is the only member of a group of its
 * own, which is deleted when the tail closes. `isWritten`: by us alone, see `isWrittenByUs`; `maxBytes`: see `maxRecordBytes`. After an outage it resumes when the session of the member that it was before has timed out.
 */
export async function tailTopic(
  client: KafkaJs,
  admin: Admin,
  options: TailOptions & {
    readonly sessionTimeoutMillis: number;
    readonly isWritten: boolean;
    readonly maxBytes: number;
    readonly onFailure: (cause: Error) => void;
  },
  log: Logger,
): Promise<Tail> {
  const { topic, sessionTimeoutMillis, isWritten, maxBytes } = options;
  const onRecords = options.withUndecodable === true ? options.onRecords : withoutUndecodable(options, log);
  const groupId = `tail-${topic}-${randomUUID()}`;
  const atStart = await topicOffsets(admin, topic);
  const progress = new ReadProgress(options.from === 'end' ? atStart : []);
  const consumer = client.consumer({
    groupId,
    sessionTimeout: sessionTimeoutMillis,
    heartbeatInterval: sessionTimeoutMillis / HEARTBEATS_PER_SESSION,
    maxWaitTimeInMs: MAX_WAIT_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    readUncommitted: isWritten,
  });
  const end = (failure: Error): void => {
    progress.fail(failure);
    options.onFailure(failure);
  };
  const fail = (cause: unknown): void => {
    log.error({ err: cause, topic }, 'the topic is not followed any further');
    end(notFollowed(topic, cause));
  };
  // A mere reconnect starts over by itself; after any other crash every wait has to fail.
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) fail(payload.error);
  });
  await orDisconnect(consumer, async () => {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const joined = seekWhenJoined(consumer, topic, atStart, progress);
    // If `run` fails first, nobody awaits it; its failure must not count as unhandled then.
    joined.catch(() => undefined);
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: CONCURRENCY,
      eachBatch: async (payload) => {
        const failure = noteReplaced(payload.batch, options, progress, log);
        if (failure === undefined) await readBatch(payload, { onRecords, maxBytes }, progress, fail);
        else end(failure);
      },
    });
    await joined;
  });

  const caughtUp = progress.reachedAll(atStart);
  // Callers may ignore it.
  caughtUp.catch(() => undefined);
  return {
    caughtUp,
    sync: async () => progress.reachedAll(await topicOffsets(admin, topic)),
    reached: (partition, offset) => progress.reached(partition, offset),
    async close() {
      await consumer.disconnect();
      // An empty group is only clutter on the broker: a failure to delete it does no harm.
      await admin.deleteGroups([groupId]).catch(() => undefined);
    },
  };
}

function notFollowed(topic: string, cause: unknown): FedloopError {
  const refused = orNotAllowed(cause, `follow ${topic}`);
  if (refused instanceof FedloopError) return refused;
  const hint = 'The log says why; start the process again.';
  const message = `${topic} is not followed any further: ${messageOf(cause)}`;
  return new FedloopError('KafkaUnavailable', message, { hint, cause });
}

/**
 * Go on behind what was read, each time the group is joined: it commits no offsets, and a tail that joins again would start over.
 * @returns a promise that resolves when the group is joined for the first time, and rejects when reading fails before.
 */
function seekWhenJoined(
  consumer: Consumer,
  topic: string,
  partitions: readonly PartitionOffsets[],
  progress: ReadProgress,
): Promise<void> {
  return new Promise((resolve, reject) => {
    progress.onFailure = reject;
    consumer.on(consumer.events.GROUP_JOIN, () => {
      for (const { partition } of partitions) {
        const offset = progress.next(partition);
        if (offset > 0) consumer.seek({ topic, partition, offset: String(offset) });
      }
      resolve();
    });
  });
}

/**
 * A topic that was deleted and made anew begins with offsets that were read before: what has them now is new all the same.
 * @returns why the tail ends instead.
 */
function noteReplaced(
  batch: Batch,
  { topic, whenReplaced }: Pick<TailOptions, 'topic' | 'whenReplaced'>,
  progress: ReadProgress,
  log: Logger,
): Error | undefined {
  const { partition, highWatermark } = batch;
  const from = Number(batch.firstOffset() ?? highWatermark);
  const gap = logGap(progress.next(partition), { from, highWatermark: Number(highWatermark) });
  if (gap?.kind !== 'replaced') return undefined;
  if (whenReplaced !== undefined) return whenReplaced(partition);
  log.error({ topic, partition }, gapSentence(topic, partition, gap, 'it is followed from its beginning'));
  progress.startOver(partition);
  return undefined;
}

async function readBatch(
  payload: EachBatchPayload,
  { onRecords, maxBytes }: { readonly onRecords: TailOptions['onRecords']; readonly maxBytes: number },
  progress: ReadProgress,
  fail: (cause: unknown) => void,
): Promise<void> {
  const { batch } = payload;
  // A partition that was added meanwhile starts over when the group is joined again; records that were read are left out.
  const next = progress.next(batch.partition);
  const records = recordsOf(batch.messages, maxBytes).filter((message) => Number(message.offset) >= next);
  if (progress.hasFailed) return;
  try {
    if (records.length > 0) await onRecords(records.map((message) => toIncoming(batch.partition, message)));
  } catch (cause) {
    // The library would deliver the batch again, for ever; records that were applied in part must not come twice.
    fail(cause);
    return;
  }
  // Compaction leaves gaps, so progress is an offset, not a count.
  progress.advance(batch.partition, Number(batch.lastOffset()));
  await payload.heartbeat();
}

/** A topic that only this system writes has none, unless a disk of the broker is damaged, or somebody else writes to it. */
function withoutUndecodable({ topic, onRecords }: TailOptions, log: Logger): TailOptions['onRecords'] {
  return (records) => {
    const readable = records.filter(({ partition, offset, undecodable }) => {
      if (undecodable !== undefined)
        log.error({ topic, partition }, `passed over: ${undecodableSentence(offset, undecodable)}`);
      return undecodable === undefined;
    });
    return readable.length > 0 ? onRecords(readable) : undefined;
  };
}

interface Waiter extends Position {
  readonly resolve: () => void;
  readonly reject: (cause: Error) => void;
}

/** How far each partition has been read, and the waits for offsets. Every wait rejects after a failure. */
class ReadProgress {
  private readonly last = new Map<number, number>();
  private waiting: Waiter[] = [];
  private failure: Error | undefined;
  onFailure: (cause: Error) => void = () => undefined;

  /** @param ends up to where partitions count as read. */
  constructor(ends: readonly PartitionOffsets[]) {
    for (const { partition, high } of ends) this.advance(partition, high - 1);
  }

  get hasFailed(): boolean {
    return this.failure !== undefined;
  }

  next(partition: number): number {
    return (this.last.get(partition) ?? -1) + 1;
  }

  startOver(partition: number): void {
    this.last.delete(partition);
  }

  advance(partition: number, offset: number): void {
    if (offset < this.next(partition)) return;
    this.last.set(partition, offset);
    const arrived = this.waiting.filter((wait) => wait.partition === partition && wait.offset <= offset);
    this.waiting = this.waiting.filter((wait) => !arrived.includes(wait));
    for (const { resolve } of arrived) resolve();
  }

  reached(partition: number, offset: number): Promise<void> {
    if (offset < this.next(partition)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) reject(this.failure);
      else this.waiting.push({ partition, offset, resolve, reject });
    });
  }

  /** Resolves when the last record of every partition has been read. */
  async reachedAll(ends: readonly PartitionOffsets[]): Promise<void> {
    const filled = ends.filter(({ low, high }) => low < high);
    await Promise.all(filled.map(({ partition, high }) => this.reached(partition, high - 1)));
  }

  fail(cause: Error): void {
    this.failure ??= cause;
    this.onFailure(this.failure);
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}
