import { type Admin } from 'kafkajs';
import { type Logger } from '../log';
import { type KafkaTrouble, missingTrouble } from './kafka-trouble';

/** Topics that somebody waits to write to, and that the brokers do not have. */
export class MissingTopics {
  /** Topics that somebody waits for, and whether they are missing. */
  private readonly waits = new Map<string, boolean>();

  constructor(
    private readonly admin: Pick<Admin, 'listTopics'>,
    private readonly log: Logger,
  ) {}

  /** What is to be done about one of them; undefined where there is none. */
  get trouble(): KafkaTrouble | undefined {
    for (const [topic, isMissing] of this.waits) if (isMissing) return missingTrouble(topic);
    return undefined;
  }

  has(topic: string): boolean {
    return this.waits.get(topic) ?? false;
  }

  /** A topic has taken nothing for long: see whether it is there at all. */
  async waitsFor(topic: string): Promise<void> {
    this.waits.set(topic, this.has(topic));
    try {
      if ((await this.admin.listTopics()).includes(topic) || !this.waits.has(topic)) return;
    } catch (err) {
      this.log.debug({ err, topic }, 'whether the topic is there is not known: the broker does not say');
      return;
    }
    const { message, hint } = missingTrouble(topic);
    this.log.error({ topic, hint }, message);
    this.waits.set(topic, true);
  }

  /** It takes messages again, or nobody waits any more. */
  delete(topic: string): void {
    this.waits.delete(topic);
  }
}
