import { setTimeout as sleep } from 'node:timers/promises';
import { type Kafka } from '../../platform/kafka';
import { LogIdWatch } from '../../platform/kafka/log-id-watch';
import { type Logger } from '../../platform/log';
import { LOG_ID_MS } from '../limits';
import { type Sink } from './sink';

/** What becomes of a log that is another one. */
export const STORED_ANEW = 'it is stored from its beginning';

/** Between two looks whether the batches under way are stored. */
const BUSY_POLL_MS = 50;

interface ReplacedLogsOptions {
  readonly kafka: Pick<Kafka, 'logId'>;
  readonly sink: Pick<Sink, 'logId' | 'enterLog'>;
  readonly log: Logger;
  readonly topics: readonly string[];
  /** Whether records of a topic are being stored. */
  readonly isBusy: (topic: string) => boolean;
  /** Read a topic from its beginning. */
  readonly readAnew: (topic: string) => void;
}

/**
 * Sees that topics are the logs that were stored. One that was deleted and made anew is stored from its beginning, also where it has
 * as many records by now as the former had.
 */
export class ReplacedLogs {
  private readonly watches: readonly LogIdWatch[];
  private readonly entering = new Set<string>();

  constructor(private readonly options: ReplacedLogsOptions) {
    const { kafka, log, sink, topics } = options;
    this.watches = topics.map(
      (topic) =>
        new LogIdWatch({
          ...{ kafka, log, topic, everyMillis: LOG_ID_MS },
          expected: () => sink.logId(topic),
          onReplaced: () => this.beginAnew(topic),
        }),
    );
  }

  /** Note which logs these are, before anything of them is read. */
  async enter(topics: readonly string[]): Promise<void> {
    const { kafka, sink, log } = this.options;
    for (const topic of topics)
      if (await sink.enterLog(topic, await kafka.logId(topic)))
        log.error(
          { topic },
          `${topic} is another log than the one that was stored, because it was deleted and made anew: ${STORED_ANEW}`,
        );
  }

  start(): void {
    for (const watch of this.watches) watch.start();
  }

  close(): void {
    for (const watch of this.watches) watch.close();
  }

  /** Whether a topic is about to be read from its beginning: what was fetched of it before is not stored. */
  isEntering(topic: string): boolean {
    return this.entering.has(topic);
  }

  private async beginAnew(topic: string): Promise<void> {
    this.entering.add(topic);
    try {
      while (this.options.isBusy(topic)) await sleep(BUSY_POLL_MS);
      await this.enter([topic]);
      this.options.readAnew(topic);
    } finally {
      this.entering.delete(topic);
    }
  }
}
