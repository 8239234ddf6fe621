import { randomUUID } from 'node:crypto';
import { checkpointKeys, type CheckpointMessage } from '../../contracts/checkpoints';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type FenceBlock, REJECT_HEADERS } from '../../contracts/blocks';
import { type StreamSettings } from '../../contracts/settings';
import { TOPICS } from '../../contracts/topics';
import { type Kafka, type Producer, type Tail } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { type PartitionLog, PartitionLogs } from './checkpoint-log';
import { PartitionEngine } from '../engine';
import { restoreState } from './state-codec';

/** Where an owner starts reading, and from which source offset on it counts again. */
export interface StartingPoint {
  readonly rewind: number;
  readonly next: number;
  /** Decisions logged at or after this offset of the checkpoint log are not in the engine yet. */
  readonly decisionsUntil: number;
  /**
   * Until this source offset has been read nothing new is decided: a predecessor may have got that far, and written blocks
   * that a decision at an earlier place would contradict.
   */
  readonly decideFrom: number;
  /** The past of the devices is in the engine. */
  readonly seeded: boolean;
}

/** What a worker gets hold of with a partition: the engine as its predecessor left it, and where to go on. */
export interface Claim {
  readonly epoch: number;
  readonly log: PartitionLog;
  readonly engine: PartitionEngine;
  readonly start: StartingPoint;
}

/** The worker's view of `stream-checkpoints`, and its way into it. */
export class Claims {
  private readonly worker = randomUUID();
  private attempts = 0;

  private constructor(
    private readonly kafka: Kafka,
    private readonly producer: Producer,
    private readonly settings: StreamSettings,
    private readonly logger: Logger,
    private readonly tail: Tail,
    private readonly logs: PartitionLogs,
  ) {}

  static async open(
    kafka: Kafka,
    producer: Producer,
    settings: StreamSettings,
    logger: Logger,
  ): Promise<Claims> {
    const logs = new PartitionLogs();
    const tail = await kafka.tail({
      topic: TOPICS.checkpoints.name,
      from: 'start',
      onRecords(records) {
        for (const record of records) logs.apply(record);
      },
    });
    await tail.caughtUp;
    return new Claims(kafka, producer, settings, logger, tail, logs);
  }

  /** Read everything that stands in the log by now. */
  catchUp(): Promise<void> {
    return this.tail.sync();
  }

  close(): Promise<void> {
    return this.tail.close();
  }

  /** Append a message and wait until it has been read back. @returns its offset. */
  async append(partition: number, key: string, message: CheckpointMessage): Promise<number> {
    const value = JSON.stringify(message);
    const [position] = await this.producer.send(TOPICS.checkpoints.name, [{ key, partition, value }]);
    if (position === undefined)
      throw new FedloopError('KafkaUnavailable', 'the broker did not say where it wrote a checkpoint');
    await this.tail.reached(partition, position.offset);
    return position.offset;
  }

  /**
   * Take a partition over. The order of steps is what makes it safe. The claim voids whatever predecessors still decide; the fence voids
   * what they still write as results; and since their blocks before the fence came from events that were in the source by
   * then, decisions of ours wait until those have been read.
   */
  async claim(partition: number): Promise<Claim> {
    const { worker, logger } = this;
    this.attempts += 1;
    const key = checkpointKeys.claim(partition, worker, this.attempts);
    const epoch = await this.append(partition, key, { type: 'claim', partition, worker });
    await this.fence(partition, epoch);
    const source = (await this.kafka.offsets(TOPICS.stream.name)).find(
      (offsets) => offsets.partition === partition,
    );
    const low = source?.low ?? 0;
    const log = this.logs.of(partition);
    const { engine, start } = recover(partition, this.settings, log, logger);
    const { rewind, next } = start;
    if (rewind < low)
      logger.error({ partition, rewind, low }, 'events needed for recovery are gone from the log');
    logger.info({ partition, epoch, rewind, next }, 'partition claimed');
    return {
      epoch,
      log,
      engine,
      start: {
        ...start,
        rewind: Math.max(rewind, low),
        next: Math.max(next, low),
        decideFrom: log.mayHaveBeenRead ? (source?.high ?? 0) : 0,
      },
    };
  }

  private async fence(partition: number, epoch: number): Promise<void> {
    const value = JSON.stringify({ type: 'fence', partition, epoch } satisfies FenceBlock);
    const key = String(partition);
    for (const topic of [TOPICS.analysis.name, TOPICS.evaluations.name])
      await this.producer.send(topic, [{ key, partition, value }]);
    const headers = { [REJECT_HEADERS.fence]: String(epoch) };
    await this.producer.send(TOPICS.rejects.name, [{ key, partition, value, headers }]);
  }
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
