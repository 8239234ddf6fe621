import { type Admin } from 'kafkajs';
import { type Logger } from '../log';
import { type KafkaTrouble, missingTrouble } from './kafka-trouble';
import { createTopics } from './make-topics';
import { type Topic } from './types';

/** Between two looks whether topics that nobody makes again are there; a topic that is missing twice is gone. */
const LOOK_MS = 10_000;
const LOOKS = 2;

/** Topics that somebody waits to write to, or that rows and versions rest on, and that the brokers do not have. */
export class MissingTopics {
  /** Topics that somebody waits for, and whether they are missing. */
  private readonly waits = new Map<string, boolean>();
  private readonly remade = new Map<string, Topic>();
  /** Topics that nobody makes again, and in how many looks in turn they were missing. */
  private readonly bases = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly admin: Admin,
    private readonly log: Logger,
  ) {}

  /** What is to be done about one of them; undefined where there is none. */
  get trouble(): KafkaTrouble | undefined {
    for (const [topic, isMissing] of this.waits) if (isMissing) return this.troubleOf(topic);
    for (const [topic, looks] of this.bases) if (looks >= LOOKS) return this.troubleOf(topic);
    return undefined;
  }

  has(topic: string): boolean {
    return this.waits.get(topic) ?? false;
  }

  /** Topics that this process has made, or found: those of them that may are made again where they are missed, and others are looked after. */
  know(topics: readonly Topic[]): void {
    for (const topic of topics) {
      if (topic.remade === true) this.remade.set(topic.name, topic);
      if (topic.remade === false) this.bases.set(topic.name, 0);
    }
    if (this.bases.size > 0) this.timer ??= setInterval(() => void this.look(), LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** See whether topics that nobody makes again are there. */
  async look(): Promise<void> {
    const known = await this.admin.listTopics().catch(() => undefined);
    if (known === undefined) return;
    for (const [topic, before] of this.bases) {
      const looks = known.includes(topic) ? 0 : before + 1;
      this.bases.set(topic, looks);
      const { message, hint } = this.troubleOf(topic);
      if (looks === LOOKS) this.log.error({ topic, hint }, message);
      if (looks === 0 && before >= LOOKS) this.log.info({ topic }, 'the topic is there again');
    }
  }

  private troubleOf(topic: string): KafkaTrouble {
    return missingTrouble(topic, this.bases.has(topic));
  }

  /** A topic has taken nothing for long: see whether it is there at all. */
  async waitsFor(topic: string): Promise<void> {
    this.waits.set(topic, this.has(topic));
    try {
      if ((await this.admin.listTopics()).includes(topic) || !this.waits.has(topic)) return;
      this.waits.set(topic, true);
      const made = this.remade.get(topic);
      const { message, hint } = this.troubleOf(topic);
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
