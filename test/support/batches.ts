import { crc32c } from '@node-rs/crc32';
import {
  ATTRIBUTES,
  CHECKSUM,
  CONTROL,
  HEADER_BYTES,
  LEADER_EPOCH,
  LENGTH,
  MAGIC,
  PRODUCER,
  TRANSACTIONAL,
} from '../../core/platform/kafka/batch-format';
import { RecordBatch, type OutgoingRecord } from '../../core/platform/kafka/record-batch';

interface BatchOptions {
  readonly baseOffset?: number;
  readonly magic?: number;
  /** Number of the codec, and how the records are compressed with it. */
  readonly codec?: readonly [number, (records: Buffer) => Buffer];
  readonly producerId?: bigint;
  readonly isControl?: boolean;
}

const PLAIN: NonNullable<BatchOptions['codec']> = [0, (records) => records];

/** A record batch as a broker hands it out: compressed, of a transaction, or of another format. */
export function batchOf(records: readonly OutgoingRecord[], options: BatchOptions = {}): Buffer {
  const { baseOffset = 0, magic = 2, codec = PLAIN, producerId, isControl = false } = options;
  const plain = new RecordBatch(records, 1_700_000_000_000);
  const bytes = Buffer.alloc(plain.bytes);
  plain.writeTo(bytes, 0);
  const batch = Buffer.concat([bytes.subarray(0, HEADER_BYTES), codec[1](bytes.subarray(HEADER_BYTES))]);
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(batch.length - LEADER_EPOCH, LENGTH);
  batch.writeInt8(magic, MAGIC);
  if (producerId !== undefined) batch.writeBigInt64BE(producerId, PRODUCER);
  const transactional = producerId === undefined ? 0 : TRANSACTIONAL;
  batch.writeInt16BE(codec[0] + transactional + (isControl ? CONTROL : 0), ATTRIBUTES);
  return sealed(batch);
}

/** The batch with the checksum that its bytes have now. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES)), CHECKSUM);
  return batch;
}

/** What a broker writes behind a transaction. */
export function markerOf(producerId: bigint, baseOffset: number, kind: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]);
  return batchOf([{ key, value: Buffer.alloc(6) }], { baseOffset, producerId, isControl: true });
}
