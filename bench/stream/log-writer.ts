import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FedloopError } from '../../core/contracts/errors';
import { frameBatches } from '../../core/platform/kafka/kafkajs-patches/produce-request';
import { type RecordBatchWriter } from './record-batch';

/**
 * Appends record batches to the partitions of one topic of a broker that leads all of them (ours is a single node):
 * Produce requests of version 7, and nothing else of Kafka's protocol. One request is under way at a time.
 */
export class LogWriter {
  private received = Buffer.alloc(0);
  private correlation = 0;
  private waiting: { resolve: () => void; reject: (cause: Error) => void } | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly topic: string,
  ) {
    socket.on('data', (piece) => {
      this.received = Buffer.concat([this.received, piece]);
      this.read();
    });
    socket.on('error', (cause) => this.waiting?.reject(cause));
    socket.on('close', () => this.waiting?.reject(new Error('the broker closed the connection')));
  }

  /** @param broker host:port */
  static async open(broker: string, topic: string): Promise<LogWriter> {
    const at = broker.lastIndexOf(':');
    const socket = connect(Number(broker.slice(at + 1)), broker.slice(0, at));
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new LogWriter(socket, topic);
  }

  /**
   * Append what the writers hold, one a partition; empty ones are passed over. What they hold is copied before this returns; it resolves
   * when the broker has it.
   * @throws FedloopError `KafkaUnavailable` when the broker refuses it.
   */
  async append(writers: readonly RecordBatchWriter[]): Promise<void> {
    const filled = [...writers.entries()].filter(([, writer]) => writer.count > 0);
    if (filled.length === 0) return;
    this.correlation += 1;
    const partitions = filled.map(([partition, writer]) => {
      const batch = writer.take();
      return { partition, batch: { bytes: batch.length, writeTo: batch.copy.bind(batch) } };
    });
    const body = frameBatches(ACKS_FROM_ALL, TIMEOUT_MS, [{ topic: this.topic, partitions }]);
    const answered = new Promise<void>((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
    this.socket.cork();
    this.socket.write(this.head(body.length));
    this.socket.write(body);
    this.socket.uncork();
    await answered;
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  /** Size, request, version, correlation and client id. */
  private head(bodyBytes: number): Buffer {
    const head = Buffer.alloc(4 + 2 + 2 + 4 + 2 + CLIENT_ID.length);
    let at = head.writeInt32BE(head.length - 4 + bodyBytes);
    at = head.writeInt16BE(PRODUCE, at);
    at = head.writeInt16BE(VERSION, at);
    at = head.writeInt32BE(this.correlation, at);
    at = head.writeInt16BE(CLIENT_ID.length, at);
    head.write(CLIENT_ID, at);
    return head;
  }

  /** size, correlation, [topic, [partition, error, base offset, append time, log start]], throttle */
  private read(): void {
    if (this.received.length < 4 || this.received.length < 4 + this.received.readInt32BE(0)) return;
    const answer = this.received;
    this.received = answer.subarray(4 + answer.readInt32BE(0));
    const partitions = 12 + 2 + answer.readInt16BE(12);
    for (let left = answer.readInt32BE(partitions), at = partitions + 4; left > 0; left -= 1, at += 30) {
      const error = answer.readInt16BE(at + 4);
      if (error === 0) continue;
      this.waiting?.reject(
        new FedloopError('KafkaUnavailable', `the broker refused a batch of records with error ${error}`),
      );
      return;
    }
    this.waiting?.resolve();
  }
}

const PRODUCE = 0;
const VERSION = 7;
const CLIENT_ID = 'fedloop-bench';
const ACKS_FROM_ALL = -1;
const TIMEOUT_MS = 30_000;
