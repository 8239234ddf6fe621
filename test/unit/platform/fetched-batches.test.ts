import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { compressSync as compressSnappy } from 'snappy';
import { BATCH_LIMITS } from '../../../core/contracts/undecodable';
import { HEADER_BYTES, LAST_OFFSET_DELTA, RECORD_COUNT } from '../../../core/platform/kafka/batch-format';
import {
  type AbortedTransaction,
  type Budget,
  type FetchedFrom,
  PassedOffset,
  readBatches,
  UndecodableBatch,
} from '../../../core/platform/kafka/fetched-batches';
import { batchOf, markerOf, sealed } from '../../support/batches';

const HIGH_WATERMARK = 1_000;
const RECORDS = [{ value: 'one' }, { value: 'two' }, { value: 'three' }];

/** Each entry as a short text. */
function read(
  batches: readonly Buffer[],
  aborted: readonly AbortedTransaction[] = [],
  budget?: Budget,
): readonly string[] {
  return readFrom({ wanted: 0, highWatermark: HIGH_WATERMARK, aborted }, batches, budget);
}

function readFrom(from: FetchedFrom, batches: readonly Buffer[], budget?: Budget): readonly string[] {
  const bytes = Buffer.concat(batches);
  return readBatches(bytes, 0, bytes.length, from, budget).map((entry) => {
    if (entry instanceof PassedOffset) return `${entry.offset} passed`;
    if (entry instanceof UndecodableBatch)
      return `${entry.offset}-${entry.undecodable.lastOffset} ${entry.undecodable.fault}`;
    return `${entry.offset} ${entry.value?.toString() ?? 'null'}`;
  });
}

const READ = ['0 one', '1 two', '2 three'];

function xerial(records: Buffer): Buffer {
  const head = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  const blocks = [records.subarray(0, 5), records.subarray(5)].flatMap((part) => {
    const block = compressSnappy(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    return [length, block];
  });
  return Buffer.concat([head, ...blocks]);
}

/** One frame of one stored block: zstd without compression. */
function storedAsZstd(records: Buffer): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0, 0, 0, 0]);
  head.writeUInt16LE(Math.max(0, records.length - 256), 5);
  head.writeUIntLE(records.length * 8 + 1, 7, 3);
  return Buffer.concat([head, records]);
}

const LONG = [{ value: 'x'.repeat(300) }];

describe('a compressed batch', () => {
  it.each([
    ['gzip', 1, (records: Buffer) => gzipSync(records)],
    ['snappy in one block, as librdkafka writes it', 2, (records: Buffer) => compressSnappy(records)],
    ['snappy in blocks, as Java writes it', 2, xerial],
    ['lz4', 3, (records: Buffer) => compressFrameSync(records)],
  ])('is read: %s', (_, codec, compress) => {
    expect(read([batchOf(RECORDS, { codec: [codec, compress] })])).toEqual(READ);
  });

  it('is read: zstd', () => {
    expect(read([batchOf(LONG, { codec: [4, storedAsZstd] })])).toEqual([`0 ${'x'.repeat(300)}`]);
  });

  it('is refused when its codec is unknown, and what comes behind it is read', () => {
    const unknown = batchOf(RECORDS, { codec: [6, (records) => records] });
    expect(read([unknown, batchOf([{ value: 'next' }], { baseOffset: 3 })])).toEqual([
      '0-2 unknown-codec',
      '3 next',
    ]);
  });

  it.each([1, 2, 3, 4])('is refused when codec %d cannot make anything of it', (codec) => {
    const broken = batchOf(RECORDS, { codec: [codec, () => Buffer.from('this is not compressed at all')] });
    expect(read([broken])).toEqual(['0-2 broken-compression', '2 passed']);
  });

  it('is refused before it takes more memory than a batch may', () => {
    const zeros = Buffer.alloc(BATCH_LIMITS.bytes + 1);
    const snappyBomb = Buffer.from([0x81, 0x80, 0x80, 0x20, 0]);
    // A frame of runs of 2 MiB − 1 zeros, four bytes each.
    const run = Buffer.from([0xfa, 0xff, 0xff, 0]);
    const zstdBomb = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]),
      ...Array.from({ length: 40 }, () => run),
      Buffer.from([1, 0, 0]),
    ]);
    const bombs: readonly (readonly [number, Buffer])[] = [
      [1, gzipSync(zeros)],
      [2, snappyBomb],
      [3, compressFrameSync(zeros)],
      [4, zstdBomb],
    ];
    for (const [codec, bomb] of bombs)
      expect(read([batchOf([{ value: '' }], { codec: [codec, () => bomb] })])).toEqual(['0-0 too-large']);
  });

  it('is refused when it holds more records than a batch may', () => {
    const batch = batchOf(RECORDS, { codec: [1, (records) => gzipSync(records)] });
    batch.writeInt32BE(BATCH_LIMITS.records + 1, RECORD_COUNT);
    expect(read([sealed(batch)])).toEqual(['0-2 too-large', '2 passed']);
  });

  it('waits for the next fetch when the response has decompressed enough, but the first of a partition does not', () => {
    const codec = [1, (records: Buffer) => gzipSync(records)] as const;
    const batches = [batchOf(RECORDS, { codec }), batchOf(RECORDS, { codec, baseOffset: 3 })];
    expect(read(batches, [], { bytes: 0, records: 0 })).toEqual(READ);
  });
});

describe('a batch of another format', () => {
  it('is refused: an older one', () => {
    const old = Buffer.alloc(34);
    old.writeBigInt64BE(7n, 0);
    old.writeInt32BE(22, 8);
    old.writeInt8(1, 16);
    expect(read([old, batchOf([{ value: 'next' }], { baseOffset: 8 })])).toEqual([
      '7-7 old-format',
      '8 next',
    ]);
  });

  it('is refused: one that does not exist yet', () => {
    expect(read([batchOf(RECORDS, { magic: 3 })])).toEqual(['0-2 unknown-format', '2 passed']);
  });
});

describe('a damaged batch', () => {
  it('is refused when its checksum is wrong, and what comes behind it is read', () => {
    const damaged = batchOf(RECORDS);
    damaged.writeUInt8(damaged.readUInt8(HEADER_BYTES + 8) ^ 1, HEADER_BYTES + 8);
    expect(read([damaged, batchOf([{ value: 'next' }], { baseOffset: 3 })])).toEqual([
      '0-2 corrupt',
      '3 next',
    ]);
  });

  it.each([
    ['fewer records than it says', 2],
    ['more records than it says', 4],
  ])('is refused when it holds %s', (_, count) => {
    const batch = batchOf(RECORDS);
    batch.writeInt32BE(count, RECORD_COUNT);
    expect(read([sealed(batch)])).toEqual(['0-2 corrupt', '2 passed']);
  });

  it('never claims the offsets of the batch behind it, nor more than the partition has', () => {
    const damaged = batchOf(RECORDS);
    damaged.writeInt32BE(2 ** 31 - 1, LAST_OFFSET_DELTA);
    const next = batchOf([{ value: 'next' }], { baseOffset: 3 });
    expect(read([damaged, next])).toEqual(['0-2 corrupt', '3 next']);
    expect(read([damaged])).toEqual([`0-${HIGH_WATERMARK - 1} corrupt`, `${HIGH_WATERMARK - 1} passed`]);
  });

  it('never makes reading throw, go backwards or hand out a record that was not sent, wherever it is damaged', () => {
    const codecs = [
      [0, (records: Buffer) => records],
      [1, (records: Buffer) => gzipSync(records)],
      [2, (records: Buffer) => compressSnappy(records)],
      [3, (records: Buffer) => compressFrameSync(records)],
      [4, storedAsZstd],
    ] as const;
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const sent = new Set([...RECORDS.map(({ value }) => value), 'x'.repeat(300)]);
    fc.assert(
      fc.property(fc.constantFrom(...codecs), damage, fc.boolean(), (codec, places, seal) => {
        const whole = batchOf([...RECORDS, ...LONG], { codec });
        for (const [place, value] of places) whole[place % whole.length] = value;
        const bytes = Buffer.concat([seal ? sealed(whole) : whole, batchOf(RECORDS, { baseOffset: 4 })]);
        const from = { wanted: 0, highWatermark: HIGH_WATERMARK, aborted: [] };
        const entries = readBatches(bytes, 0, bytes.length, from);
        const offsets = entries.map(({ offset }) => offset);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        expect(Math.max(-1, ...offsets)).toBeLessThan(HIGH_WATERMARK);
        if (seal) return;
        for (const entry of entries)
          if (!(entry instanceof UndecodableBatch || entry instanceof PassedOffset))
            expect(sent).toContain(entry.value?.toString());
      }),
      { numRuns: 500 },
    );
  });
});

describe('an answer', () => {
  const later = batchOf(RECORDS, { baseOffset: 40 });

  it('has records that were written after the broker had looked at the high watermark', () => {
    const from = { wanted: 40, highWatermark: 40, aborted: [] };
    expect(readFrom(from, [later])).toEqual(['40 one', '41 two', '42 three']);
    expect(readFrom({ ...from, wanted: 41 }, [later])).toEqual(['40 one', '41 two', '42 three']);
  });

  it.each([0, 17, 40])(
    'never ends before the offset that was asked for (%i), unless it is empty',
    (wanted) => {
      const from = { wanted, highWatermark: 40, aborted: [] };
      const garbage = Buffer.alloc(100, 0x01);
      const headless = Buffer.from(later);
      headless.writeInt32BE(-1, 8);
      const far = Buffer.from(later);
      far.writeBigInt64BE(2n ** 62n, 0);
      for (const bytes of [garbage, headless, far]) {
        const read = readFrom(from, [bytes]);
        expect(read).toEqual(wanted === 40 ? [] : [`${wanted}-${wanted} corrupt`]);
      }
    },
  );

  it('gives up the record that was asked for where a damaged batch says that it ends before it', () => {
    const damaged = batchOf(RECORDS, { baseOffset: 10 });
    damaged[damaged.length - 1] = 0xff;
    damaged.writeInt32BE(0, LAST_OFFSET_DELTA);
    const from = { wanted: 12, highWatermark: 40, aborted: [] };
    expect(readFrom(from, [damaged])).toEqual(['12-12 corrupt']);
  });
});

describe('a transaction', () => {
  const mine = 7n;
  const other = 8n;

  it('gives its records when it was committed; its marker is passed over', () => {
    expect(read([batchOf(RECORDS, { producerId: mine }), markerOf(mine, 3, 'commit')])).toEqual([
      ...READ,
      '3 passed',
    ]);
  });

  it('gives nothing when it was aborted, and what its producer sends afterwards is read', () => {
    const batches = [
      batchOf(RECORDS, { producerId: mine }),
      batchOf([{ value: 'theirs' }], { baseOffset: 3, producerId: other }),
      markerOf(mine, 4, 'abort'),
      markerOf(other, 5, 'commit'),
      batchOf([{ value: 'again' }], { baseOffset: 6, producerId: mine }),
      markerOf(mine, 7, 'commit'),
    ];
    expect(read(batches, [{ producerId: mine, firstOffset: 0 }])).toEqual([
      '3 theirs',
      '6 again',
      '7 passed',
    ]);
    expect(read(batches.slice(0, 1), [{ producerId: mine, firstOffset: 0 }])).toEqual(['2 passed']);
  });
});
