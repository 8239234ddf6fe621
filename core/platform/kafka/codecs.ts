import { gunzipSync } from 'node:zlib';
import { decompress as decompressFrames } from 'fzstd';
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { decompressFrameSync } from 'lz4-napi';
import { uncompressSync as uncompressSnappy } from 'snappy';
import { FedloopError } from '../../contracts/errors';
import { BATCH_LIMITS } from '../../contracts/undecodable';

/**
 * Kafka's codecs. A decompressor never makes more than `BATCH_LIMITS.bytes`: where its library has no bound of its own, the compressed form
 * says how much it can come to at most, before anything is decompressed.
 */

/** The records would have more bytes than a batch may. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/** @throws TooLarge, or any error where the bytes are not of its codec. */
type Decompress = (bytes: Buffer) => Buffer;

function decompressGzip(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: BATCH_LIMITS.bytes });
  } catch (cause) {
    const isTooLarge =
      typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw isTooLarge ? new TooLarge() : cause;
  }
}

/** Begins what Java's client writes: blocks of plain snappy, each behind its length. Other clients write one plain block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Magic, version and the oldest version that can read it. */
const XERIAL_HEADER_BYTES = 16;

function decompressSnappy(bytes: Buffer): Buffer {
  const blocks = snappyBlocks(bytes);
  assertAtMost(blocks.reduce((sum, block) => sum + snappyLength(block), 0));
  const parts = blocks.map((block) => {
    const part = uncompressSnappy(block, { asBuffer: true });
    return typeof part === 'string' ? Buffer.from(part) : part;
  });
  return Buffer.concat(parts);
}

function snappyBlocks(bytes: Buffer): readonly Buffer[] {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return [bytes];
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length;) {
    const start = at + 4;
    at = start + bytes.readUInt32BE(at);
    if (at > bytes.length) throw new RangeError('a block of snappy is cut off');
    blocks.push(bytes.subarray(start, at));
  }
  return blocks;
}

/** A plain block begins with the length of what it decompresses to, seven bits a byte. */
function snappyLength(block: Buffer): number {
  let length = 0;
  for (let at = 0, weight = 1; at < 5; at += 1, weight *= 128) {
    const byte = block.readUInt8(at);
    length += (byte & 0x7f) * weight;
    if (byte < 0x80) return length;
  }
  throw new RangeError('a block of snappy has no length');
}

/** Of a frame: "LZ4 Frame Format Description", version 1.6. */
const LZ4_FLAGS = 4;
const LZ4_HEADER_BYTES = 7;
const LZ4_CONTENT_SIZE = 0x08;
const LZ4_BLOCK_CHECKSUM = 0x10;
const LZ4_DICTIONARY = 0x01;
/** One byte of a block stands for 255 bytes at most. */
const LZ4_MAX_RATIO = 255;

function decompressLz4(bytes: Buffer): Buffer {
  assertAtMost(lz4Bound(bytes));
  return decompressFrameSync(bytes);
}

/** Bytes that a frame decompresses to at most: each block fills up to the frame's block size. */
function lz4Bound(bytes: Buffer): number {
  const flags = bytes.readUInt8(LZ4_FLAGS);
  // Block sizes of 64 KiB, 256 KiB, 1 MiB and 4 MiB are 4 to 7.
  const blockBytes = 2 ** (8 + 2 * ((bytes.readUInt8(LZ4_FLAGS + 1) >>> 4) & 7));
  let at = LZ4_HEADER_BYTES;
  if ((flags & LZ4_CONTENT_SIZE) !== 0) at += 8;
  if ((flags & LZ4_DICTIONARY) !== 0) at += 4;
  let bound = 0;
  for (;;) {
    // The highest bit: the block is not compressed. A size of 0 ends the frame.
    const size = bytes.readUInt32LE(at) & 0x7fffffff;
    if (size === 0) return bound;
    bound += Math.min(blockBytes, LZ4_MAX_RATIO * size);
    at += 4 + size + ((flags & LZ4_BLOCK_CHECKSUM) === 0 ? 0 : 4);
  }
}

/** Of a frame: RFC 8878, section 3.1.1. */
const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_SKIPPABLE_MAGIC = 0x184d2a5;
/** What a decoder of zstd accepts where nothing else is said: what its highest level asks for. */
const ZSTD_WINDOW_BYTES = 128 * 1024 * 1024;
const ZSTD_BLOCK_BYTES = 128 * 1024;
const ZSTD_COMPRESSED_BLOCK = 2;
const ZSTD_RUN_BLOCK = 1;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [undefined, 2, 4, 8];

function decompressZstd(bytes: Buffer): Buffer {
  assertAtMost(zstdBound(bytes));
  const records = decompressFrames(bytes);
  return Buffer.from(records.buffer, records.byteOffset, records.length);
}

/** Bytes that the frames decompress to at most; also no frame may ask for a larger window, which its library makes in memory at once. */
function zstdBound(bytes: Buffer): number {
  let bound = 0;
  for (let at = 0; at < bytes.length;) {
    const magic = bytes.readUInt32LE(at);
    if (magic >>> 4 === ZSTD_SKIPPABLE_MAGIC) {
      at += 8 + bytes.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== ZSTD_MAGIC) throw new RangeError('a frame of zstd has another magic number');
    const frame = zstdFrame(bytes, at);
    if (frame.windowBytes > ZSTD_WINDOW_BYTES) throw new TooLarge();
    at = frame.end;
    bound += frame.bound;
  }
  return bound;
}

function zstdFrame(bytes: Buffer, start: number): { windowBytes: number; end: number; bound: number } {
  const descriptor = bytes.readUInt8(start + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  const sizeBytes = CONTENT_SIZE_BYTES[descriptor >>> 6] ?? (isSingleSegment ? 1 : 0);
  let windowBytes = 0;
  if (sizeBytes === 8) windowBytes = Number(bytes.readBigUInt64LE(at));
  else if (sizeBytes > 0) windowBytes = bytes.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  if (!isSingleSegment) {
    const window = bytes.readUInt8(start + 5);
    windowBytes = Math.max(windowBytes, 2 ** (10 + (window >>> 3)) * (1 + (window & 7) / 8));
  }
  at += sizeBytes;
  let bound = 0;
  for (let isLast = false; !isLast;) {
    const header = bytes.readUIntLE(at, 3);
    isLast = (header & 1) !== 0;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    bound += type === ZSTD_COMPRESSED_BLOCK ? ZSTD_BLOCK_BYTES : size;
    at += 3 + (type === ZSTD_RUN_BLOCK ? 1 : size);
  }
  return { windowBytes, bound, end: at + ((descriptor & 4) === 0 ? 0 : 4) };
}

function assertAtMost(bytes: number): void {
  if (bytes > BATCH_LIMITS.bytes) throw new TooLarge();
}

/** By the number that a batch's attributes have. */
const DECOMPRESSORS: Readonly<Partial<Record<number, Decompress>>> = {
  [CompressionTypes.GZIP]: decompressGzip,
  [CompressionTypes.Snappy]: decompressSnappy,
  [CompressionTypes.LZ4]: decompressLz4,
  [CompressionTypes.ZSTD]: decompressZstd,
};

/** @returns undefined where there is no such codec. */
export function decompressorOf(codec: number): Decompress | undefined {
  return DECOMPRESSORS[codec];
}

/** Where the library reads a response itself, as from a broker before 2.3, it decompresses in the same way. */
export function registerCodecs(): void {
  const codecOf = (decompress: Decompress) => () => ({
    decompress: (bytes: Buffer) => Promise.resolve(decompress(bytes)),
    compress: () => Promise.reject(new FedloopError('Internal', 'Fedloop sends without compression')),
  });
  CompressionCodecs[CompressionTypes.GZIP] = codecOf(decompressGzip);
  CompressionCodecs[CompressionTypes.Snappy] = codecOf(decompressSnappy);
  CompressionCodecs[CompressionTypes.LZ4] = codecOf(decompressLz4);
  CompressionCodecs[CompressionTypes.ZSTD] = codecOf(decompressZstd);
}
