import fc from 'fast-check';
import { RecordBatchWriter } from '../../../bench/stream/record-batch';
import { type FetchedEntry, readBatches } from '../../../core/platform/kafka/fetched-batches';
import { RecordBatch, type OutgoingRecord } from '../../../core/platform/kafka/record-batch';

const NOW = 1_700_000_000_000;

function encoded(records: readonly OutgoingRecord[]): Buffer {
  const batch = new RecordBatch(records, NOW);
  const out = Buffer.alloc(batch.bytes);
  batch.writeTo(out, 0);
  return out;
}

function recordsIn(batch: Buffer): readonly FetchedEntry[] {
  return readBatches(batch, 0, batch.length, { wanted: 0, highWatermark: Infinity, aborted: [] });
}

const text = fc.string({ maxLength: 300, unit: 'binary' });
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const record = fc.record({
  key: fc.option(fc.oneof(text, bytes)),
  value: fc.option(fc.oneof(text, bytes)),
  timestamp: fc.oneof(fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: NOW, max: NOW + 100 })),
});
const asBuffer = (value: Buffer | string | null): Buffer | null =>
  typeof value === 'string' ? Buffer.from(value) : value;

describe('a record batch', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
        const batch = encoded(records);
        expect(
          recordsIn(batch).map(({ offset, timestamp, key, value }) => {
            return { offset, timestamp, key, value };
          }),
        ).toEqual(
          records.map(({ timestamp, key, value }, offset) => {
            return { offset, timestamp, key: asBuffer(key), value: asBuffer(value) };
          }),
        );
      }),
    );
  });

  it('has the present as the time of records without one', () => {
    const batch = encoded([{ value: 'a' }, { value: null, timestamp: String(NOW - 7) }]);
    expect(recordsIn(batch).map(({ timestamp }) => timestamp)).toEqual([NOW, NOW - 7]);
  });

  it('grows record by record to the same bytes', () => {
    const line = fc.string({ unit: 'grapheme-ascii', maxLength: 200 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: line, value: line, delay: fc.nat(90_000) }), {
          minLength: 1,
          maxLength: 20,
        }),
        (records) => {
          const writer = new RecordBatchWriter(16_384);
          let timestamp = NOW;
          const all = records.map(({ key, value, delay }) => {
            timestamp += delay;
            expect(writer.add(key, value, timestamp)).toBe(true);
            return { key, value, timestamp };
          });
          expect(writer.take().equals(encoded(all))).toBe(true);
        },
      ),
    );
  });
});
