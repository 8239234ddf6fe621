import { randomUUID } from 'node:crypto';
import { checkpointKeys, type CheckpointMessage } from '../../contracts/checkpoints';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type FenceBlock, REJECT_HEADERS } from '../../contracts/blocks';
import { type StreamSettings } from '../../contracts/settings';
import { TOPICS } from '../../contracts/topics';
import { type Kafka, type Producer } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { PartitionLog } from './checkpoint-log';
import { PartitionEngine } from '../engine';
import { type StartingPoint } from './partition-owner';
import { restoreState } from './state-codec';

/** What a worker gets hold of with a partition: the engine as its predecessor left it, and where to go on. */
export interface Claim {
  readonly epoch: number;
  readonly log: PartitionLog;
  readonly engine: PartitionEngine;
  readonly start: StartingPoint;
}

export interface Claims {
  /** The partition's log as far as it has been read. */
  logOf(partition: number): PartitionLog;
  /** Read everything that stands in the log by now. */
  catchUp(): Promise<void>;
  /** Take a partition over. */
  claim(partition: number): Promise<Claim>;
  /** Append a message and wait until it has been read back. */
  append(partition: number, key: string, message: CheckpointMessage): Promise<number>;
  close(): Promise<void>;
}

/** The worker's view of `stream-checkpoints`, and its way into it. */
export async function openClaims(
  kafka: Kafka,
  producer: Producer,
  settings: StreamSettings,
  logger: Logger,
): Promise<Claims> {
  const worker = randomUUID();
  const logs = new Map<number, PartitionLog>();
  let attempts = 0;
  const logOf = (partition: number): PartitionLog => {
    const known = logs.get(partition) ?? new PartitionLog();
    logs.set(partition, known);
    return known;
  };
  const tail = await kafka.tail({
    topic: TOPICS.checkpoints.name,
    from: 'start',
    onRecords(records) {
      for (const { partition, offset, key, value } of records)
        logOf(partition).apply(offset, key?.toString() ?? '', value);
    },
  });
  await tail.caughtUp;
  const append = async (partition: number, key: string, message: CheckpointMessage): Promise<number> => {
    const value = JSON.stringify(message);
    const [position] = await producer.send(TOPICS.checkpoints.name, [{ key, partition, value }]);
    if (position === undefined)
      throw new FedloopError('KafkaUnavailable', 'the broker did not say where it wrote a checkpoint');
    await tail.reached(partition, position.offset);
    return position.offset;
  };

  /**
   * The order of steps is what makes a takeover safe. The claim voids whatever predecessors still decide; the fence voids
   * what they still write as results; and since their blocks before the fence came from events that were in the source by
   * then, decisions of ours wait until those have been read.
   */
  const claim = async (partition: number): Promise<Claim> => {
    attempts += 1;
    const epoch = await append(partition, checkpointKeys.claim(partition, worker, attempts), {
      type: 'claim',
      partition,
      worker,
    });
    const log = logOf(partition);
    const fence = JSON.stringify({ type: 'fence', partition, epoch } satisfies FenceBlock);
    const key = String(partition);
    for (const topic of [TOPICS.analysis.name, TOPICS.evaluations.name])
      await producer.send(topic, [{ key, partition, value: fence }]);
    const headers = { [REJECT_HEADERS.fence]: String(epoch) };
    await producer.send(TOPICS.rejects.name, [{ key, partition, value: fence, headers }]);
    const source = (await kafka.offsets(TOPICS.stream.name)).find(
      (offsets) => offsets.partition === partition,
    );
    const { engine, start } = recover(partition, settings, log, logger);
    const low = source?.low ?? 0;
    if (start.rewind < low)
      logger.error(
        { partition, rewind: start.rewind, low },
        'events needed for recovery are gone from the log',
      );
    logger.info({ partition, epoch, rewind: start.rewind, next: start.next }, 'partition claimed');
    return {
      epoch,
      log,
      engine,
      start: {
        ...start,
        rewind: Math.max(start.rewind, low),
        next: Math.max(start.next, low),
        decideFrom: log.mayHaveBeenRead ? (source?.high ?? 0) : 0,
      },
    };
  };
  return { logOf, catchUp: () => tail.sync(), claim, append, close: () => tail.close() };
}

/** From the newest checkpoint, else from the first event on. */
function recover(
  partition: number,
  settings: StreamSettings,
  log: PartitionLog,
  logger: Logger,
): { readonly engine: PartitionEngine; readonly start: Omit<StartingPoint, 'decideFrom'> } {
  const stored = log.latestCheckpoint();
  if (stored !== undefined) {
    const engine = new PartitionEngine(partition, settings);
    try {
      const { rewind, next, decisions_until } = restoreState(engine, stored.data);
      return { engine, start: { rewind, next, decisionsUntil: decisions_until, seeded: true } };
    } catch (cause) {
      logger.warn(
        { partition, reason: messageOf(cause) },
        'a checkpoint cannot be used; reading from the first event',
      );
    }
  }
  return {
    engine: new PartitionEngine(partition, settings),
    start: { rewind: 0, next: 0, decisionsUntil: 0, seeded: false },
  };
}
