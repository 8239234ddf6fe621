import { createRequire } from 'node:module';
import fc from 'fast-check';
import { decodeFetchResponse } from '../../../core/platform/kafka/kafkajs-patches/fetch-response';
import { FetchedRecord } from '../../../core/platform/kafka/fetched-records';
import { fetchResponseOf } from '../../support/fetch-response';

/** The library's own writer and reader: what a response looks like, and what it means. */
const library = createRequire(__filename);
interface LibraryEncoder {
  readonly buffer: Buffer;
}
interface LibraryRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, unknown>;
}
interface LibraryResponse {
  readonly responses: { partitions: { messages: LibraryRecord[] }[] }[];
}
const encodeRecord = library('kafkajs/src/protocol/recordBatch/record/v0') as (
  record: object,
) => LibraryEncoder;
const { RecordBatch: encodeBatch } = library('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<LibraryEncoder>;
};
const decodeByLibrary = (
  library('kafkajs/src/protocol/requests/fetch/v11/response') as {
    decode: (response: Buffer) => Promise<LibraryResponse>;
  }
).decode;

interface Sent {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer | Buffer[]>;
  readonly timestampDelta: number;
}

const FIRST_TIMESTAMP = 1_700_000_000_000;

async function batchOf(records: readonly Sent[], firstOffset: number, more: object = {}): Promise<Buffer> {
  const batch = await encodeBatch({
    firstOffset,
    firstTimestamp: FIRST_TIMESTAMP,
    maxTimestamp: FIRST_TIMESTAMP + 5_000,
    lastOffsetDelta: records.length - 1,
    records: records.map((record, offsetDelta) => encodeRecord({ ...record, offsetDelta })),
    ...more,
  });
  return batch.buffer;
}

function messagesOf(response: Buffer): readonly FetchedRecord[] {
  const messages = decodeFetchResponse(response, () => 0).responses[0]?.partitions[0]?.messages ?? [];
  return messages.map((message) => {
    if (!(message instanceof FetchedRecord)) throw new TypeError('the response holds more than records');
    return message;
  });
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
/** The library mistakes what every object has (`valueOf`, `__proto__`) for a header that came before. */
const headerName = fc.string({ maxLength: 8 }).filter((name) => !(name in {}));
const sent: fc.Arbitrary<Sent> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(headerName, fc.oneof(bytes, fc.tuple(bytes, bytes))),
  timestampDelta: fc.integer({ min: -2_000_000_000, max: 2_000_000_000 }),
});

describe('a fetch response', () => {
  it('says the same to us as to the library, whatever its records hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(sent, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 2 ** 40 }),
        async (batches, firstOffset) => {
          let offset = firstOffset;
          const encoded: Buffer[] = [];
          for (const records of batches) {
            encoded.push(await batchOf(records, offset));
            offset += records.length;
          }
          const response = fetchResponseOf(Buffer.concat(encoded));
          const theirs = (await decodeByLibrary(response)).responses[0]?.partitions[0];
          const ours = decodeFetchResponse(response, () => 0).responses[0]?.partitions[0];
          expect(
            messagesOf(response).map(({ key, value, headers, offset: at, timestamp }) => {
              return { offset: String(at), timestamp: String(timestamp), key, value, headers };
            }),
          ).toEqual(
            theirs?.messages.map(({ offset: at, timestamp, key, value, headers }) => {
              return { offset: at, timestamp, key, value, headers };
            }),
          );
          expect({ ...ours, messages: undefined }).toEqual({ ...theirs, messages: undefined });
        },
      ),
      { numRuns: 60 },
    );
  });

  const plain: Sent = { key: null, value: Buffer.from('x'), headers: {}, timestampDelta: 0 };

  it('may end in a batch that is cut off anywhere', async () => {
    const whole = await batchOf([plain, plain], 0);
    const next = await batchOf([plain], 2);
    for (const length of [1, 11, 12, 40, 61, next.length - 1]) {
      const response = fetchResponseOf(Buffer.concat([whole, next.subarray(0, length)]));
      expect(messagesOf(response).map(({ offset }) => offset)).toEqual([0, 1]);
    }
  });

  it('answers the two filters of the library as a plain array would, and is one afterwards', async () => {
    const response = fetchResponseOf(await batchOf([plain, plain, plain, plain], 10));
    const records = decodeFetchResponse(response, () => 0).responses[0]?.partitions[0]?.messages ?? [];
    const isControlRecord = (record: object): boolean => 'isControlRecord' in record;
    const wanted = records.filter(({ offset }) => offset >= 12).filter((record) => !isControlRecord(record));
    expect(wanted.map(({ offset }) => offset)).toEqual([12, 13]);
    expect(wanted.filter(({ offset }) => offset < 13)).toHaveLength(1);
  });

  it('may have headers named like what every object has', async () => {
    const headers = JSON.parse('{"valueOf":0,"__proto__":0,"constructor":0}') as Record<string, Buffer>;
    for (const name of Object.keys(headers)) {
      Object.defineProperty(headers, name, { value: Buffer.from(name), enumerable: true });
    }
    const [record] = messagesOf(fetchResponseOf(await batchOf([{ ...plain, headers }], 0)));
    const text = Object.entries(record?.headers ?? {}).map(([name, value]) => [name, String(value)]);
    expect(text).toEqual(Object.keys(headers).map((name) => [name, name]));
  });

  it('may hold nothing', () => {
    expect(messagesOf(fetchResponseOf(Buffer.alloc(0)))).toEqual([]);
  });
});
