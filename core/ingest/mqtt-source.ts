import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { messageOf } from '../contracts/errors';
import { type Source } from '../contracts/source';
import { TOPICS } from '../contracts/topics';
import { type Kafka } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Delivery } from './delivery';
import { GroupMember } from './group-member';
import { INGEST_LIMITS } from './limits';
import { type IngestSource } from './source';

/** 3.1.1 and 5, as the protocol numbers them. */
type MqttVersion = 4 | 5;

/** So long a server of version 5 keeps messages for a worker that is away; 3.1.1 has no limit. In seconds. */
const SESSION_EXPIRY_SECONDS = 7 * 86_400;
/** Messages that a server of version 5 may send before the first is acknowledged; servers have limits of their own, 20 to 100. */
const RECEIVE_MAXIMUM = 1_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that hears nothing for one and a half times as long is given up. In seconds. */
const KEEPALIVE_SECONDS = 30;

interface MqttSourceOptions {
  readonly kafka: Kafka;
  readonly server: NonNullable<Source['mqtt']>;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The same after each restart: the server keeps messages for it. */
  readonly clientId: string;
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
      },
      onBatch: (batch) => {
        const last = batch.records.at(-1);
        if (last !== undefined) batch.resolve(last.offset);
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
    await this.client?.endAsync().catch(() => undefined);
    await this.running;
    await this.member.stop();
  }

  private lead(isLeader: boolean): void {
    const wasLeader = this.isLeader;
    this.isLeader = isLeader;
    if (wasLeader && !isLeader) this.client?.end();
    if (!wasLeader && isLeader) this.running = this.running.then(() => this.run());
  }

  private async run(): Promise<void> {
    const { signal } = this.halt;
    while (this.isLeader && !signal.aborted) {
      await this.session();
      if (!this.mayGoOn()) return;
      await sleep(INGEST_LIMITS.retryMillis, undefined, { signal }).catch(() => undefined);
    }
  }

  /** For checks after a wait: the compiler assumes that the fields themselves have not changed. */
  private mayGoOn(): boolean {
    return this.isLeader && !this.halt.signal.aborted;
  }

  /** One connection. Resolves when it has ended. */
  private async session(): Promise<void> {
    const { server, log } = this.options;
    const client = connect(server.url, this.clientOptions());
    this.client = client;
    const course: { isWelcome: boolean; cause: unknown } = {
      isWelcome: false,
      cause: new Error('the server has closed the connection'),
    };
    client.handleMessage = (packet, next) => {
      void this.take(client, packet, next);
    };
    client.on('error', (error) => {
      course.cause = error;
    });
    client.on('connect', () => {
      course.isWelcome = true;
      this.subscribe(client, (error) => {
        course.cause = error;
        client.end(true);
      });
    });
    await new Promise<void>((resolve) => {
      client.once('close', () => {
        resolve();
      });
    });
    await client.endAsync(true).catch(() => undefined);
    this.client = undefined;
    if (!this.mayGoOn()) return;
    const problem = `the MQTT server ${server.url} is away: ${messageOf(course.cause)}`;
    if (this.trouble !== problem) log.warn(`${problem}; it is tried again`);
    this.trouble = problem;
    // A server that does not know version 5 says so, or hangs up; one that is not there at all is another matter.
    if (!course.isWelcome && !isNetworkError(course.cause)) this.version = this.version === 5 ? 4 : 5;
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
      this.trouble = undefined;
    });
  }

  private clientOptions(): IClientOptions {
    const { clientId, username, password } = this.options;
    return {
      clientId,
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
    // A message that is not acknowledged comes again.
    if (!this.mayGoOn()) return;
    const bytes = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const delivered = delivery.deliver([{ bytes, topic: packet.topic }]);
    if (delivery.isFull) await delivery.whenRoom();
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

/** PUBACK of a message that was taken in (MQTT 3.1.1, 3.4; MQTT 5, 3.4.2.1: without a reason it was a success). */
function acknowledgement(messageId: number): Buffer {
  return Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]);
}

function isNetworkError(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string';
}
