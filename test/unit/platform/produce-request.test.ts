import { createRequire } from 'node:module';
import fc from 'fast-check';
import {
  encodeProduceRequest,
  type ProduceRequest,
} from '../../../core/platform/kafka/kafkajs-patches/produce-request';
import { type OutgoingRecord } from '../../../core/platform/kafka/record-batch';

/** The library's own checksum and writer: what the broker is used to. */
const library = createRequire(__filename);
const crc32cOfLibrary = library('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
const requestOfLibrary = library('kafkajs/src/protocol/requests/produce/v7/request') as (request: object) => {
  encode: () => Promise<{ readonly buffer: Buffer }>;
};

const NOW = 1_700_000_000_000;
/** Places in a record batch. */
const LEADER_EPOCH = 12;
const CHECKSUM = 17;
const CHECKSUM_COUNTS_FROM = 21;
const PRODUCER = 43;
const FIRST_SEQUENCE_END = 57;

interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
}

/** The record batches in a request, read by its documented layout. */
function batchesOf(request: Buffer): Batch[] {
  let at = 2 + 2 + 4;
  const int32 = (): number => request.readInt32BE((at += 4) - 4);
  const batches: Batch[] = [];
  for (let topics = int32(); topics > 0; topics -= 1) {
    const length = request.readInt16BE(at);
    const topic = request.toString('utf8', at + 2, at + 2 + length);
    at += 2 + length;
    for (let partitions = int32(); partitions > 0; partitions -= 1) {
      const partition = int32();
      const size = int32();
      batches.push({ topic, partition, bytes: request.subarray(at, at + size) });
      at += size;
    }
  }
  expect(at).toBe(request.length);
  return batches;
}

const text = fc.oneof(
  fc.string({ maxLength: 300, unit: 'binary' }),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
);
/** Of equal length: the library sorts them as texts. */
const timestamp = fc.integer({ min: 1_000_000_000_000, max: 2_000_000_000_000 }).map(String);
const message: fc.Arbitrary<OutgoingRecord> = fc.record({
  key: fc.option(text),
  value: fc.option(text),
  timestamp,
  headers: fc.option(
    fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.oneof(text, fc.tuple(text, text))),
    {
      nil: undefined,
    },
  ),
});
const request: fc.Arbitrary<ProduceRequest> = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.integer({ min: 0, max: 60_000 }),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 12 }),
      partitions: fc.array(
        fc.record({
          partition: fc.integer({ min: 0, max: 1_000 }),
          messages: fc.array(message, { minLength: 1, maxLength: 5 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

describe('a produce request', () => {
  it('is, byte for byte, what the library writes, but for what only the broker or a transaction fills in', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (wanted) => {
        const ours = encodeProduceRequest(wanted, NOW);
        const theirs = (await requestOfLibrary({ ...wanted, producerId: -1 }).encode()).buffer;
        expect(ours.length).toBe(theirs.length);
        for (const one of [ours, theirs]) {
          for (const { bytes } of batchesOf(one)) {
            const covered = bytes.subarray(CHECKSUM_COUNTS_FROM);
            expect(bytes.readUInt32BE(CHECKSUM)).toBe(crc32cOfLibrary(covered));
            bytes.fill(0, LEADER_EPOCH, LEADER_EPOCH + 4);
            bytes.fill(0, CHECKSUM, CHECKSUM_COUNTS_FROM);
            bytes.fill(0, PRODUCER, FIRST_SEQUENCE_END);
          }
        }
        expect(ours.equals(theirs)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
