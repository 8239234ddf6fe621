import { randomUUID } from 'node:crypto';
import { type FenceBlock, REJECT_HEADERS } from '../../contracts/blocks';
import { checkpointKeys, type CheckpointMessage } from '../../contracts/checkpoints';
import { FedloopError, messageOf } from '../../contracts/errors';
import { areTwoLogs } from '../../contracts/log-ids';
import { type StreamSettings } from '../../contracts/settings';
import { eventTopic } from '../../contracts/source';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { microsOfText } from '../../contracts/timestamps';
import { TOPICS } from '../../contracts/topics';
import { type Kafka, type PartitionOffsets, type Producer, type Tail } from '../../platform/kafka';
import { type LogGap } from '../../platform/kafka/log-gap';
import { endsOf } from '../../platform/kafka/topic-offsets';
import { type Logger } from '../../platform/log';
import { PartitionEngine } from '../engine';
import { type PartitionLog, PartitionLogs } from './checkpoint-log';
import { decisionsReplaced, requireDecisions } from './lost-decisions';
import { restoreState } from './state-codec';
import { type CheckpointPosition } from './state-header';

/** Where an owner starts reading, and from which source offset on it counts again. */
interface StartingPoint extends CheckpointPosition {
  /**
   * Until this source offset has been read nothing new is decided: a predecessor may have read that far, and written blocks
   * that a decision at an earlier place would contradict.
   */
  readonly decideFrom: number;
  /** The past of the devices is in the engine. */
  readonly seeded: boolean;
}

/** What a worker gets with a partition: the engine as the predecessor left it, and where to read on. */
export interface Claim {
  readonly epoch: number;
  readonly log: PartitionLog;
  readonly engine: PartitionEngine;
  readonly start: StartingPoint;
  /** End of the partition when it was claimed: until that offset has been read there is a lag. */
  readonly highWatermark: number;
  /** Which log the topic of events is; empty where the broker tells no ids. */
  readonly logId: string;
  /** What was lost before this claim, and is not in the log yet. */
  readonly gap: LogGap | undefined;
  /** Checkpoints that were damaged or could not be used, and did not serve. */
  readonly passedOver: number;
}

interface ClaimsOptions {
  readonly kafka: Kafka;
  readonly producer: Producer;
  readonly settings: StreamSettings;
  readonly log: Logger;
}

/** The worker's view of `stream-checkpoints`, and its way into it. */
export class Claims {
  private readonly worker = randomUUID();
  private attempts = 0;

  private constructor(
    private readonly options: ClaimsOptions,
    private readonly logs: PartitionLogs,
    private readonly tail: Tail,
  ) {}

  static async open(options: ClaimsOptions): Promise<Claims> {
    const logs = new PartitionLogs();
    return new Claims(options, logs, await logs.follow(options.kafka, { whenReplaced: decisionsReplaced }));
  }

  /** Resolves once everything that is in the log now has been read. */
  catchUp(): Promise<void> {
    return this.tail.sync();
  }

  close(): Promise<void> {
    return this.tail.close();
  }

  /** Append a message and wait until it has been read back. @returns its offset. */
  async append(key: string, message: CheckpointMessage): Promise<number> {
    const { partition } = message;
    const value = JSON.stringify(message);
    const [position] = await this.options.producer.send(TOPICS.checkpoints.name, [{ key, partition, value }]);
    if (position === undefined)
      throw new FedloopError('KafkaUnavailable', 'the broker did not report where it wrote a checkpoint');
    await this.tail.reached(partition, position.offset);
    return position.offset;
  }

  /**
   * Take a partition over. The order of the steps makes it safe. The claim voids what predecessors still decide. The fence voids what they
   * still write as results. Their blocks before the fence came from events that were in the source by then, so this owner decides nothing
   * before it has read those.
   * @throws FedloopError `InvalidData` when the decisions that rows were made under are gone
   */
  async claim(partition: number): Promise<Claim> {
    const { worker } = this;
    const { kafka, settings, log: logger } = this.options;
    this.attempts += 1;
    const key = checkpointKeys.claim(partition, worker, this.attempts);
    const topic = eventTopic(settings.source);
    const logId = await kafka.logId(topic);
    const log = this.logs.of(partition);
    const logRead = log.logRead(logId);
    const isReplaced = areTwoLogs(logRead, logId);
    const ofLog = isReplaced ? logRead : logId;
    const named = ofLog === '' ? {} : { log: ofLog };
    const epoch = await this.append(key, { type: 'claim', partition, worker, ...named });
    const { engine, start, passedOver } = recover(partition, settings, log, logger);
    if (!start.seeded)
      await requireDecisions(kafka, partition, { eventTopic: topic, mayHaveBeenRead: log.mayHaveBeenRead });
    await this.fence(partition, epoch);
    const offsets = await kafka.offsets(topic);
    const { low, high } = endsOf(offsets, partition);
    const begin =
      log.start?.offset ?? (log.mayHaveBeenRead ? 0 : await this.begin(partition, epoch, offsets));
    const rewind = Math.max(start.rewind, begin);
    const next = Math.max(start.next, begin);
    const [lost] = log.withoutLosses(rewind, low);
    const expired = lost && { kind: 'expired' as const, from: lost.from };
    logger.info({ partition, epoch, rewind, next }, 'partition claimed');
    return {
      epoch,
      log,
      engine,
      highWatermark: high,
      logId,
      gap: isReplaced ? { kind: 'replaced', read: next } : expired && { ...expired, until: low },
      passedOver,
      start: {
        ...start,
        rewind: Math.max(rewind, low),
        next: Math.max(next, low),
        decideFrom: log.mayHaveBeenRead ? high : 0,
      },
    };
  }

  /** Decide where a partition that nobody has read yet is read from, as `source.from` says. */
  private async begin(
    partition: number,
    epoch: number,
    offsets: readonly PartitionOffsets[],
  ): Promise<number> {
    const { from } = this.options.settings.source;
    const offset = await this.firstOffset(partition, offsets);
    // A log without this decision means the same.
    if (from === 'earliest' && offset === 0 && offsets.every(({ low }) => low === 0)) return 0;
    const inOrder = offsets.toSorted((a, b) => a.partition - b.partition);
    const [begins, ends] = [inOrder.map(({ low }) => low), inOrder.map(({ high }) => high)];
    const key = checkpointKeys.start(partition, epoch);
    await this.append(key, { type: 'start', partition, epoch, offset, ends, begins });
    this.options.log.info({ partition, epoch, offset, from }, 'the partition is read from here on');
    return offset;
  }

  /** A partition that came after the fleet had begun counts from its offset 0: what the topic has let go of it by now is a loss. */
  private async firstOffset(partition: number, offsets: readonly PartitionOffsets[]): Promise<number> {
    const { kafka, settings } = this.options;
    const { from } = settings.source;
    const { low, high } = endsOf(offsets, partition);
    const first = this.logs.beginAtStart(partition) ?? low;
    if (from === 'earliest') return first;
    if (from === 'latest') return this.logs.endAtStart(partition) ?? high;
    const millis = Math.ceil(microsOfText(from) / MICROS_PER_MILLI);
    const found = await kafka.offsetsAt(eventTopic(settings.source), millis);
    const offset = found.find((position) => position.partition === partition)?.offset ?? high;
    return offset <= low ? first : offset;
  }

  private async fence(partition: number, epoch: number): Promise<void> {
    const { producer } = this.options;
    const value = JSON.stringify({ type: 'fence', partition, epoch } satisfies FenceBlock);
    const key = String(partition);
    for (const topic of [TOPICS.analysis.name, TOPICS.evaluations.name])
      await producer.send(topic, [{ key, partition, value }]);
    const headers = { [REJECT_HEADERS.fence]: String(epoch) };
    await producer.send(TOPICS.rejects.name, [{ key, partition, value, headers }]);
  }
}

/** The engine of the newest checkpoint that can be used, else a fresh one that reads from the beginning. */
function recover(
  partition: number,
  settings: StreamSettings,
  log: PartitionLog,
  logger: Logger,
): {
  readonly engine: PartitionEngine;
  readonly start: Omit<StartingPoint, 'decideFrom'>;
  readonly passedOver: number;
} {
  let passedOver = log.damagedCheckpoints;
  if (passedOver > 0)
    logger.warn(
      { partition, damaged: passedOver },
      'damaged checkpoints are passed over; recovery goes on from an earlier one, and nothing has to be done',
    );
  for (const stored of log.checkpoints()) {
    const engine = new PartitionEngine(partition, settings);
    try {
      return { engine, start: { ...restoreState(engine, stored.data), seeded: true }, passedOver };
    } catch (cause) {
      passedOver += 1;
      const { epoch, sequence } = stored;
      logger.warn({ partition, epoch, sequence, reason: messageOf(cause) }, 'a checkpoint cannot be used');
    }
  }
  if (passedOver > 0) logger.warn({ partition }, 'no checkpoint can be used; reading from the first event');
  return {
    engine: new PartitionEngine(partition, settings),
    start: { rewind: 0, next: 0, decisions_until: 0, seeded: false },
    passedOver,
  };
}
