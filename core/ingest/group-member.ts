import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../contracts/errors';
import { INGEST_GROUP } from '../contracts/topics';
import { type GroupConsumer, type Kafka, type RawBatch } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { INGEST_LIMITS } from './limits';

interface GroupMemberOptions {
  readonly kafka: Kafka;
  readonly log: Logger;
  readonly topic: string;
  /** Before the group is joined. Where it fails, it is tried again. */
  readonly prepare?: () => Promise<void>;
  /** The partitions of the topic that this member now has. None of their records is handed out before it resolves. */
  readonly onAssigned: (partitions: readonly number[], consumer: GroupConsumer) => Promise<void>;
  readonly onBatch: (batch: RawBatch) => Promise<void>;
}

/** A member of the ingest workers' group that joins again, for ever, when the topic is missing or the group fails. */
export class GroupMember {
  /** The member, while there is one. */
  consumer: GroupConsumer | undefined;
  private running: Promise<void> = Promise.resolve();
  private trouble: string | undefined;
  private readonly halt = new AbortController();

  constructor(private readonly options: GroupMemberOptions) {}

  /** Why nothing is read; undefined while the group is joined. */
  get problem(): string | undefined {
    return this.trouble;
  }

  start(): void {
    this.running = this.run();
  }

  /** Tries no more to join. */
  halted(): void {
    this.halt.abort();
  }

  async stop(): Promise<void> {
    this.halted();
    await this.running;
    await this.consumer?.stop();
  }

  private async run(): Promise<void> {
    while (!this.halt.signal.aborted) {
      try {
        await this.join();
        return;
      } catch (cause) {
        this.report(messageOf(cause));
      }
      await this.wait();
    }
  }

  private async join(): Promise<void> {
    const { kafka, topic, prepare, onAssigned, onBatch, log } = this.options;
    // Throws while the topic does not exist.
    await kafka.offsets(topic);
    await prepare?.();
    this.consumer = await kafka.consume({
      groupId: INGEST_GROUP,
      topics: [topic],
      concurrency: INGEST_LIMITS.concurrency,
      onAssigned: (assignment, consumer) => onAssigned(assignment.get(topic) ?? [], consumer),
      onBatch,
      onFailure: (cause) => {
        this.joinAgain(cause.message);
      },
    });
    if (this.trouble !== undefined) log.info({ topic }, 'the topic is read again');
    this.trouble = undefined;
  }

  /** Leave the group, and join it again as after a failure. @param why as the end of a sentence */
  joinAgain(why: string): void {
    if (this.halt.signal.aborted) return;
    this.report(why);
    this.running = this.running.then(async () => {
      const ended = this.consumer;
      this.consumer = undefined;
      await ended?.stop().catch(() => undefined);
      await this.wait();
      await this.run();
    });
  }

  private async wait(): Promise<void> {
    const { signal } = this.halt;
    await sleep(INGEST_LIMITS.retryMillis, undefined, { signal }).catch(() => undefined);
  }

  private report(message: string): void {
    const problem = `the topic ${this.options.topic.replace(/^\//, '')} is not read: ${message}`;
    if (this.trouble !== problem) this.options.log.warn(`${problem}; it is tried again`);
    this.trouble = problem;
  }
}
