import { areTwoLogs } from '../../contracts/log-ids';
import { type Logger } from '../log';
import { type Kafka } from './types';

/** Two looks at which log it is: what is read of another one in between is little. A look is one small question. */
const LOOK_MS = 1_000;

interface LogIdWatchOptions {
  readonly kafka: Pick<Kafka, 'logId'>;
  readonly log: Logger;
  readonly topic: string;
  /** The log that is read; empty while that is not known. */
  readonly expected: () => string;
  /** Called after each look that finds another one; the next look waits for it. */
  readonly onReplaced: () => Promise<void> | void;
  /** Between two looks; left out: a second. */
  readonly everyMillis?: number;
}

/**
 * Looks from time to time whether a topic is still the log that is read. One that is deleted and made anew within a moment, and soon has more records than the
 * former had, differs from it in nothing but its id.
 */
export class LogIdWatch {
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;

  constructor(private readonly options: LogIdWatchOptions) {}

  start(): void {
    this.timer ??= setInterval(() => void this.look(), this.options.everyMillis ?? LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const { kafka, log, topic, expected, onReplaced } = this.options;
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const now = await kafka.logId(topic);
      if (areTwoLogs(expected(), now)) await onReplaced();
    } catch (err) {
      log.debug({ err }, 'which log it is, is not known for now: the broker does not say');
    } finally {
      this.isLooking = false;
    }
  }
}
