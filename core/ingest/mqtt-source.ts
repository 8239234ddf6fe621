import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { type Source } from '../contracts/source';
import { TOPICS } from '../contracts/topics';
import { type Kafka } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Delivery } from './delivery';
import { GroupMember } from './group-member';
import { INGEST_LIMITS } from './limits';
import { type MqttLogin } from './mqtt-login';
import { dismissal, hasHungUp, isVersionRefused, type MqttEnding, mqttTrouble } from './mqtt-trouble';
import { type IngestSource } from './source';
import { type SourceMemory } from './source-memory';

/** 3.1.1 and 5, as the protocol numbers them. */
type MqttVersion = 4 | 5;

/** So long a server of version 5 keeps messages for a worker that is away; 3.1.1 has no limit. In seconds. */
const SESSION_EXPIRY_SECONDS = 7 * 86_400;
/** Messages that a server of version 5 may send before the first is acknowledged; servers have limits of their own, 20 to 100. */
const RECEIVE_MAXIMUM = 1_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that hears nothing for one and a half times as long is given up. In seconds. */
const KEEPALIVE_SECONDS = 30;

const HUNG_UP: MqttEnding = { stage: 'away', cause: new Error('the server has closed the connection') };

interface MqttSourceOptions {
  readonly kafka: Kafka;
  readonly server: NonNullable<Source['mqtt']>;
  readonly login: MqttLogin;
  /** The same after each restart: the server keeps messages for it. */
  readonly clientId: string;
  readonly memory: SourceMemory;
  readonly delivery: Delivery;
  readonly log: Logger;
}

/**
 * Subscribes to topics of an MQTT server with QoS 1 in a lasting session. A message is acknowledged when Kafka has its events; until then
 * the server keeps it. Of several workers one subscribes, the one that has the only partition of `ingest-rejects`: two connections of one
 * client id would end each other.
 */
export class MqttSource implements IngestSource {
  private readonly member: GroupMember;
  private readonly halt = new AbortController();
  private isLeader = false;
  private trouble: string | undefined;
  private client: MqttClient | undefined;
  private running: Promise<void> = Promise.resolve();
  private version: MqttVersion = 5;
  /** Whether the server lets us read: from then on it ends a connection in good order. */
  private isSubscribed = false;
  /** When the server last had our session, for all that this worker knows. */
  private heldUntil: Date | undefined;

  constructor(private readonly options: MqttSourceOptions) {
    const { kafka, log } = options;
    const topic = TOPICS.ingestRejects.name;
    this.member = new GroupMember({
      kafka,
      log,
      topic,
      onAssigned: (partitions, consumer) => {
        // Nothing is read of the topic: having it is what counts.
        consumer.pause(topic, partitions);
        this.lead(partitions.length > 0);
        return Promise.resolve();
      },
      onBatch: (batch) => {
        batch.resolve(batch.next);
        return Promise.resolve();
      },
    });
  }

  start(): void {
    this.member.start();
  }

  get problem(): string | undefined {
    return this.member.problem ?? this.trouble;
  }

  lags(): ReadonlyMap<number, number> {
    return new Map();
  }

  pause(): void {
    this.halt.abort();
    this.member.halted();
  }

  async close(): Promise<void> {
    this.isLeader = false;
    this.leave();
    await this.running;
    await this.member.stop();
  }

  private lead(isLeader: boolean): void {
    const wasLeader = this.isLeader;
    this.isLeader = isLeader;
    if (wasLeader && !isLeader) {
      this.leave();
      this.trouble = undefined;
    }
    if (!wasLeader && isLeader) this.running = this.running.then(() => this.run());
  }

  /** What was acknowledged is still sent, unless the server has not answered yet: it may never do so. */
  private leave(): void {
    this.client?.end(!this.isSubscribed);
  }

  private async run(): Promise<void> {
    const { signal } = this.halt;
    const { mqttRetryMillis } = INGEST_LIMITS;
    let pause: number = mqttRetryMillis.first;
    while (this.mayGoOn()) {
      const since = performance.now();
      const version = this.version;
      const ending = await this.session();
      if (!this.mayGoOn()) return;
      // It may know 3.1.1: nothing has to be said, or waited for, before that was tried.
      if (version === 5 && this.version === 4) continue;
      this.report(ending);
      if (performance.now() - since > mqttRetryMillis.most) pause = mqttRetryMillis.first;
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(2 * pause, mqttRetryMillis.most);
    }
  }

  /** For checks after a wait: the compiler assumes that the fields themselves have not changed. */
  private mayGoOn(): boolean {
    return this.isLeader && !this.halt.signal.aborted;
  }

  /** One connection. Resolves when it has ended. */
  private async session(): Promise<MqttEnding> {
    const client = connect(this.options.server.url, this.clientOptions());
    this.client = client;
    const course: { isWelcome: boolean; ending: MqttEnding | undefined } = {
      isWelcome: false,
      ending: undefined,
    };
    const endWith = (stage: MqttEnding['stage'], cause: Error): void => {
      course.ending ??= { stage, cause };
      client.end(true);
    };
    client.handleMessage = (packet, next) => {
      void this.take(client, packet, next);
    };
    // Also packets that make no sense: what follows them could be misread.
    client.on('error', (error) => {
      endWith('away', error);
    });
    client.on('disconnect', ({ reasonCode }) => {
      endWith('dismissal', dismissal(reasonCode));
    });
    client.on('connect', ({ sessionPresent }) => {
      course.isWelcome = true;
      this.noteSession(sessionPresent);
      this.subscribe(client, (error) => {
        if (client.connected) endWith('subscription', error);
      });
    });
    await new Promise<void>((resolve) => {
      client.once('close', () => {
        resolve();
      });
    });
    await client.endAsync(true).catch(() => undefined);
    if (this.isSubscribed) this.heldUntil = new Date();
    this.client = undefined;
    this.isSubscribed = false;
    const { isWelcome, ending = HUNG_UP } = course;
    // A server that does not know version 5 says so, or hangs up; one that is not there at all is another matter.
    const isUnanswered = !isWelcome && hasHungUp(ending.cause);
    if (isUnanswered || isVersionRefused(ending.cause)) this.version = this.version === 5 ? 4 : 5;
    return isUnanswered ? { ...ending, stage: 'unanswered' } : ending;
  }

  /** A server that has forgotten our session has also forgotten what it had taken for us; it took nothing until we subscribe again. */
  private noteSession(isHeld: boolean): void {
    const { server, memory, delivery, log } = this.options;
    if (isHeld || !memory.hasRead(sessionName(server))) return;
    const now = new Date().toISOString();
    const span =
      this.heldUntil === undefined
        ? `until ${now}`
        : `from about ${this.heldUntil.toISOString()} until ${now}`;
    const what = `the MQTT server no longer had our session: what it took for us ${span} may be gone, and nobody knows how much`;
    const advice = 'turn its persistence on, and let no other client have our id';
    log.error({ server: server.url }, `${what}; ${advice}`);
    void delivery.putAside(server.topic, { reason: 'session-lost', path: '/', detail: what });
  }

  private report(ending: MqttEnding): void {
    const { server, login, log } = this.options;
    const problem = mqttTrouble(ending, server, login);
    if (this.trouble !== problem) log.warn(`${problem}; it is tried again`);
    this.trouble = problem;
  }

  private subscribe(client: MqttClient, onFailure: (error: Error) => void): void {
    const { server, log } = this.options;
    // Retained messages come once, not after each reconnect, where the server knows how (version 5).
    client.subscribe(server.topic, { qos: 1, rh: 1 }, (error) => {
      if (error !== null) {
        onFailure(error);
        return;
      }
      log.info({ server: server.url, topic: server.topic, version: this.version }, 'subscribed');
      this.isSubscribed = true;
      this.trouble = undefined;
      this.remember();
    });
  }

  /** From now on the server has a session of ours. */
  private remember(): void {
    const { server, memory, log } = this.options;
    const name = sessionName(server);
    if (memory.hasRead(name)) return;
    memory.remember(name, [{ partition: 0 }], '').catch((err: unknown) => {
      log.warn({ err }, 'a restart will not know that the MQTT server has a session of ours');
    });
  }

  private clientOptions(): IClientOptions {
    const { clientId, login } = this.options;
    const { username, password, ca } = login;
    return {
      clientId,
      ...(ca === undefined ? {} : { ca }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      clean: false,
      protocolVersion: this.version,
      ...(this.version === 5
        ? { properties: { sessionExpiryInterval: SESSION_EXPIRY_SECONDS, receiveMaximum: RECEIVE_MAXIMUM } }
        : {}),
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // `run` connects again, in the version that the server knows.
      reconnectPeriod: 0,
    };
  }

  /**
   * Take in one message. The library acknowledges a message when `next` is called without an error, and handles no other before; with one
   * it goes on and leaves the acknowledgement to us, so that many messages can be under way to Kafka.
   */
  private async take(
    client: MqttClient,
    packet: IPublishPacket,
    next: (error?: Error) => void,
  ): Promise<void> {
    const { delivery } = this.options;
    const { stream } = client;
    // First room, then the message: however often the server connects again and repeats itself, no more is held.
    if (delivery.isFull) await delivery.whenRoom();
    // A message that is not acknowledged comes again.
    if (!this.mayGoOn() || this.client !== client || delivery.isFull) return;
    const bytes = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const delivered = delivery.deliver([{ bytes, topic: packet.topic }]);
    const { messageId } = packet;
    if (packet.qos === 0 || messageId === undefined) {
      next();
      return;
    }
    next(new Error('acknowledged when Kafka has it'));
    await delivered;
    // On another connection the number may be another message's.
    if (client.connected && client.stream === stream) stream.write(acknowledgement(messageId));
  }
}

/** What the memory calls the session: one a server. */
function sessionName({ url }: MqttSourceOptions['server']): string {
  return `mqtt/${new URL(url).host}`;
}

/** PUBACK of a message that was taken in (MQTT 3.1.1, 3.4; MQTT 5, 3.4.2.1: without a reason it was a success). */
function acknowledgement(messageId: number): Buffer {
  return Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]);
}
