import { type Admin } from 'kafkajs';
import { type Logger } from '../log';
import { type KafkaTrouble, missingTrouble } from './kafka-trouble';
import { createTopics } from './make-topics';
import { type Topic } from './types';

/** Between two looks whether topics are there; one that is missing twice is gone. */
const LOOK_MS = 10_000;
const LOOKS = 2;

/** Topics that somebody waits to write to, or that rows and versions rest on, and that the brokers do not have. */
export class MissingTopics {
  /** Topics that somebody waits for, and whether they are missing. */
  private readonly waits = new Map<string, boolean>();
  /** Topics that are looked after, and in how many looks in turn they were missing. */
  private readonly known = new Map<string, { readonly topic: Topic; looks: number }>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly admin: Admin,
    private readonly log: Logger,
  ) {}

  /** What is to be done about one of them; undefined where there is none. */
  get trouble(): KafkaTrouble | undefined {
    for (const [topic, isMissing] of this.waits) if (isMissing) return this.troubleOf(topic);
    const gone = [...this.known.values()].find(
      ({ topic, looks }) => looks >= LOOKS && topic.remade === false,
    );
    return gone && this.troubleOf(gone.topic.name);
  }

  has(topic: string): boolean {
    return this.waits.get(topic) ?? false;
  }

  /** Topics that this process has made, or found, and that it looks after: some of them it makes again where they are gone. */
  know(topics: readonly Topic[]): void {
    for (const topic of topics) {
      if (topic.remade !== undefined) this.known.set(topic.name, { topic, looks: 0 });
    }
    if (this.known.size > 0) this.timer ??= setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** They have so many partitions by now: so many are made again. */
  grown(topics: readonly string[], partitions: number): void {
    for (const name of topics) {
      const watched = this.known.get(name);
      if (watched !== undefined && watched.topic.partitions < partitions)
        this.known.set(name, { ...watched, topic: { ...watched.topic, partitions } });
    }
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** See whether the topics are there, also those that nobody writes to just now. */
  async look(): Promise<void> {
    const present = await this.admin.listTopics().catch(() => undefined);
    if (present === undefined) return;
    for (const [topic, watched] of this.known) {
      const before = watched.looks;
      watched.looks = present.includes(topic) ? 0 : before + 1;
      const isTriedAgain = watched.looks > LOOKS && watched.topic.remade === true;
      if (watched.looks === LOOKS || isTriedAgain) await this.isGone(topic);
      if (watched.looks === 0 && before >= LOOKS) this.log.info({ topic }, 'the topic is there again');
    }
  }

  private troubleOf(topic: string): KafkaTrouble {
    const known = this.known.get(topic)?.topic;
    if (known === undefined || known.remade === true) return missingTrouble(topic);
    return missingTrouble(topic, known.cleanup === 'compact' ? 'records' : 'offsets');
  }

  /** Say so, and make it again where nothing rests on it. */
  private async isGone(topic: string): Promise<void> {
    const { message, hint } = this.troubleOf(topic);
    const made = this.known.get(topic)?.topic;
    if (made?.remade !== true) {
      this.log.error({ topic, hint }, message);
      return;
    }
    this.log.error({ topic }, `${message}: it is made again; what nobody had read of it is gone`);
    await createTopics(this.admin, [made]).catch((err: unknown) => {
      this.log.warn({ err, topic }, 'the topic cannot be made again for now');
    });
  }

  /** A topic has taken nothing for long: see whether it is there at all. */
  async waitsFor(topic: string): Promise<void> {
    this.waits.set(topic, this.has(topic));
    try {
      if ((await this.admin.listTopics()).includes(topic) || !this.waits.has(topic)) return;
      this.waits.set(topic, true);
      await this.isGone(topic);
    } catch (err) {
      this.log.warn({ err, topic }, 'whether the topic is there is not known');
    }
  }

  /** It takes messages again, or nobody waits any more. */
  delete(topic: string): void {
    this.waits.delete(topic);
  }
}
