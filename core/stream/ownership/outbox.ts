import { type OutgoingMessage, type Producer } from '../../platform/kafka';

/**
 * Messages on their way out, in order by topic. While one request of a topic is under way, new messages are gathered for the next, so
 * that work goes on while the broker writes. Once a send fails for good nothing more goes out, and every wait rejects with the cause.
 */
export class Outbox {
  private readonly queues = new Map<string, TopicQueue>();
  private bytes = 0;
  private failure: Error | undefined;
  private readonly waiting: (() => void)[] = [];

  /**
   * @param capacity bytes under way above which `whenRoom` makes the caller wait.
   * @param onAcknowledged called after each request with the seconds that its oldest message took, from `push` to acknowledgement.
   */
  constructor(
    private readonly producer: Producer,
    private readonly capacity: number,
    private readonly onFailure: (cause: Error) => void,
    private readonly onAcknowledged: (topic: string, seconds: number) => void = () => undefined,
  ) {}

  /** Bytes pushed and not acknowledged yet. */
  get pendingBytes(): number {
    return this.bytes;
  }

  get isFull(): boolean {
    return this.bytes > this.capacity;
  }

  push(topic: string, message: OutgoingMessage): void {
    const queue = this.queues.get(topic) ?? { messages: [], sending: false, since: 0 };
    this.queues.set(topic, queue);
    if (queue.messages.length === 0) queue.since = performance.now();
    queue.messages.push(message);
    this.bytes += sizeOf(message);
    if (!queue.sending) void this.drain(topic, queue);
  }

  /** Resolves when no more than the capacity is under way. */
  whenRoom(): Promise<void> {
    return this.until(() => !this.isFull);
  }

  /** Resolves when every message, also one pushed meanwhile, is acknowledged. */
  settled(): Promise<void> {
    return this.until(() => this.bytes === 0);
  }

  private async until(isTrue: () => boolean): Promise<void> {
    while (this.failure === undefined && !isTrue())
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.failure !== undefined) throw this.failure;
  }

  private async drain(topic: string, queue: TopicQueue): Promise<void> {
    queue.sending = true;
    // Let the caller finish first: the blocks of one window go out together.
    await Promise.resolve();
    while (queue.messages.length > 0 && this.failure === undefined) {
      const { since } = queue;
      const messages = queue.messages.splice(0, MAX_MESSAGES_PER_SEND);
      try {
        await this.producer.send(topic, messages);
        this.onAcknowledged(topic, (performance.now() - since) / 1_000);
        for (const message of messages) this.bytes -= sizeOf(message);
      } catch (cause) {
        this.failure = cause instanceof Error ? cause : new Error(String(cause));
        this.onFailure(this.failure);
      }
      for (const wake of this.waiting.splice(0)) wake();
    }
    queue.sending = false;
  }
}

interface TopicQueue {
  readonly messages: OutgoingMessage[];
  sending: boolean;
  /** When the oldest of the messages was pushed, on the process's clock in milliseconds. */
  since: number;
}

/** Bounds the work of one request when a flood of rejects has piled up. */
const MAX_MESSAGES_PER_SEND = 10_000;

/** For bounding memory, not for the wire: JSON text is counted by its length. */
function sizeOf({ value }: OutgoingMessage): number {
  return 1 + (value === null ? 0 : value.length);
}
