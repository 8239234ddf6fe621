import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FedloopError } from '../../core/contracts/errors';
import { type RecordBatchWriter } from './record-batch';

/**
 * Appends record batches to the partitions of one topic of a broker that leads all of them (ours is a single node):
 * Kafka's Produce request, version 7, and nothing else of the protocol. One request is under way at a time.
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
   * Append what the writers hold, one a partition; empty ones are passed over. Resolves when the broker has it.
   * @throws FedloopError `KafkaUnavailable` when the broker refuses it.
   */
  async append(writers: readonly RecordBatchWriter[]): Promise<void> {
    const filled = [...writers.entries()].filter(([, writer]) => writer.count > 0);
    if (filled.length === 0) return;
    this.correlation += 1;
    const batches = filled.flatMap(([partition, writer]) => {
      const batch = writer.take();
      return [int32(partition), int32(batch.length), batch];
    });
    const body = [
      int16(PRODUCE),
      int16(VERSION),
      int32(this.correlation),
      string(CLIENT_ID),
      // No transaction; acknowledged by all replicas in sync.
      int16(-1),
      int16(-1),
      int32(TIMEOUT_MS),
      int32(1),
      string(this.topic),
      int32(filled.length),
      ...batches,
    ];
    const size = body.reduce((sum, part) => sum + part.length, 0);
    const answered = new Promise<void>((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
    this.socket.cork();
    this.socket.write(int32(size));
    for (const part of body) this.socket.write(part);
    this.socket.uncork();
    await answered;
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
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
const TIMEOUT_MS = 30_000;

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function string(text: string): Buffer {
  return Buffer.concat([int16(text.length), Buffer.from(text, 'latin1')]);
}
