import { type Admin } from 'kafkajs';
import { type Logger } from '../log';
import { type KafkaTrouble, missingTrouble } from './kafka-trouble';
import { createTopics } from './make-topics';
import { type Topic } from './types';

/** Topics that somebody waits to write to, and that the brokers do not have. */
export class MissingTopics {
  /** Topics that somebody waits for, and whether they are missing. */
  private readonly waits = new Map<string, boolean>();
  private readonly remade = new Map<string, Topic>();

  constructor(
    private readonly admin: Admin,
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

  /** Topics that this process has made, or found: those of them that may are made again where they are missed. */
  remake(topics: readonly Topic[]): void {
    for (const topic of topics) if (topic.remade === true) this.remade.set(topic.name, topic);
  }

  /** A topic has taken nothing for long: see whether it is there at all. */
  async waitsFor(topic: string): Promise<void> {
    this.waits.set(topic, this.has(topic));
    try {
      if ((await this.admin.listTopics()).includes(topic) || !this.waits.has(topic)) return;
      this.waits.set(topic, true);
      const made = this.remade.get(topic);
      const { message, hint } = missingTrouble(topic);
      if (made === undefined) this.log.error({ topic, hint }, message);
      else {
        this.log.error({ topic }, `${message}: it is made again; what nobody had read of it is gone`);
        await createTopics(this.admin, [made]);
      }
    } catch (err) {
      this.log.warn({ err, topic }, 'whether the topic is there is not known, or it cannot be made again');
    }
  }

  /** It takes messages again, or nobody waits any more. */
  delete(topic: string): void {
    this.waits.delete(topic);
  }
}
