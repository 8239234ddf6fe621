import { TOPICS } from '../contracts/topics';
import { type Kafka } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type SourceMemory } from './source-memory';

/** Between two looks: nothing is read while one of the topics is missing. */
const LOOK_MS = 5_000;

/** Makes the topics again that ingest alone writes to, where somebody deletes them: reading waits for them. */
export class OwnTopics {
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;

  constructor(
    private readonly kafka: Pick<Kafka, 'partitions' | 'createTopics'>,
    private readonly memory: Pick<SourceMemory, 'refresh'>,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.timer ??= setInterval(() => void this.look(), LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      await this.keepRejects();
      await this.memory.refresh();
    } catch (err) {
      this.log.debug({ err }, 'whether our topics are there is not known for now: the broker does not say');
    } finally {
      this.isLooking = false;
    }
  }

  private async keepRejects(): Promise<void> {
    const topic = TOPICS.ingestRejects;
    if ((await this.kafka.partitions(topic.name)) !== undefined) return;
    this.log.error(
      `${topic.name} was deleted: it is made again; rejects that no warehouse has read are gone`,
    );
    await this.kafka.createTopics([topic]);
  }
}
