import { type OutgoingMessage, type Producer } from '../../platform/kafka';

/**
 * Messages on their way out, in order by topic: while one request of a topic is under way, what comes meanwhile is
 * gathered for the next, so that work goes on while the broker writes. Once a send fails for good nothing more goes out,
 * and every wait rejects with the cause.
 */
export class Outbox {
  private readonly queues = new Map<string, TopicQueue>();
  private bytes = 0;
  private failure: Error | undefined;
  private waiting: (() => void)[] = [];

  /**
   * @param capacity bytes under way at which `whenRoom` makes the caller wait.
   * @param onAcknowledged told after each request how many seconds its oldest message took, from hand-over to acknowledgement.
   */
  constructor(
    private readonly producer: Producer,
    private readonly capacity: number,
    private readonly onFailure: (cause: Error) => void,
    private readonly onAcknowledged: (topic: string, seconds: number) => void = () => undefined,
  ) {}

  /** Bytes handed in and not yet acknowledged. */
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

  /** Resolves when less than the capacity is under way. */
  async whenRoom(): Promise<void> {
    while (this.failure === undefined && this.isFull) await this.nextChange();
    this.assertHealthy();
  }

  /** Resolves when everything handed in so far (and meanwhile) is acknowledged. */
  async settled(): Promise<void> {
    while (this.failure === undefined && this.bytes > 0) await this.nextChange();
    this.assertHealthy();
  }

  private async drain(topic: string, queue: TopicQueue): Promise<void> {
    queue.sending = true;
    // Let the caller finish what it is at: the blocks of one window go out together.
    await Promise.resolve();
    while (queue.messages.length > 0 && this.failure === undefined) {
      const { since } = queue;
      const messages = queue.messages.splice(0, MESSAGES_PER_SEND);
      try {
        await this.producer.send(topic, messages);
        this.onAcknowledged(topic, (performance.now() - since) / 1_000);
        for (const message of messages) this.bytes -= sizeOf(message);
      } catch (cause) {
        this.failure = cause instanceof Error ? cause : new Error(String(cause));
        this.onFailure(this.failure);
      }
      this.wake();
    }
    queue.sending = false;
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    const woken = this.waiting;
    this.waiting = [];
    for (const resolve of woken) resolve();
  }

  private assertHealthy(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

interface TopicQueue {
  readonly messages: OutgoingMessage[];
  sending: boolean;
  /** When the oldest of the messages was handed in, on the process's clock in milliseconds. */
  since: number;
}

/** Bounds the work of one request when a flood of rejects has piled up. */
const MESSAGES_PER_SEND = 10_000;

/** For bounding memory, not for the wire: JSON text is counted by its length. */
function sizeOf({ value }: OutgoingMessage): number {
  return 1 + (value === null ? 0 : value.length);
}
