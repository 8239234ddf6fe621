import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { INGEST_LIMITS } from '../../core/ingest/limits';
import { linesOf } from '../../core/stream/parse/lines';
import { csvMessages } from './csv';
import { type Sample, type SampledMessage } from './types';

const STANDARD_INPUT = '-';
const DATA_FILE = /\.(?:jsonl|ndjson|json|csv|tsv)(?:\.gz)?$/i;
/** A document that is no list of lines is parsed as a whole. */
const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;

/**
 * Read the first messages of a file, of all files of a folder, or of standard input: JSON lines, one JSON array, or CSV; gzip or not.
 * @param most messages to read; of a folder, as many of each file.
 * @throws FedloopError `NotFound` for what cannot be read.
 */
export async function readFiles(from: string, most: number): Promise<Sample> {
  const name = from === STANDARD_INPUT ? 'standard input' : from;
  const files = await filesOf(from);
  const share = Math.ceil(most / files.length);
  const messages: SampledMessage[] = [];
  let isCut = false;
  for (const file of files) {
    let count = 0;
    for await (const bytes of messagesOf(file)) {
      if (count >= share) {
        isCut = true;
        break;
      }
      messages.push({ bytes, partition: undefined, recordMillis: undefined });
      count += 1;
    }
  }
  return { name, messages, keepsOrder: files.length === 1, isCut };
}

async function filesOf(from: string): Promise<readonly string[]> {
  if (from === STANDARD_INPUT) return [from];
  const found = await stat(from).catch((cause: unknown) => {
    throw unreadable(from, cause);
  });
  if (!found.isDirectory()) return [from];
  const names = await readdir(from);
  const files = names.filter((name) => DATA_FILE.test(name)).sort();
  if (files.length > 0) return files.map((name) => join(from, name));
  throw new FedloopError('NotFound', `${from} has no .jsonl, .ndjson, .json or .csv file (or one with .gz)`, {
    hint: 'Name a folder with messages in files.',
  });
}

/** One message after the other, as bytes of JSON. */
async function* messagesOf(file: string): AsyncGenerator<Uint8Array> {
  const lines = allLines(file);
  const { value: first } = await lines.next();
  if (first === undefined) return;
  if (/\.[ct]sv(?:\.gz)?$/i.test(file) || looksLikeCsv(first)) yield* csvMessages(first, lines, file);
  else if (isOneDocument(first, file)) yield* documentMessages(withFirst(first, lines));
  else yield* withFirst(first, lines);
}

/** Lines with something in them. */
async function* allLines(file: string): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const some of linesOf(unpacked(file), INGEST_LIMITS.messageBytes)) {
      for (const line of some) if (!isBlank(line)) yield line;
    }
  } catch (cause) {
    throw cause instanceof FedloopError ? cause : unreadable(file, cause);
  }
  return undefined;
}

async function* withFirst(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

const GZIP_MARK = [0x1f, 0x8b];

/** A file's bytes, unpacked where they are gzip, whatever its name says. */
async function* unpacked(file: string): AsyncGenerator<Uint8Array> {
  const source: Readable = file === STANDARD_INPUT ? process.stdin : createReadStream(file);
  const pieces = bytesOf(source);
  const { value: first, done } = await pieces.next();
  if (done === true) return;
  const all = withFirst(first, pieces);
  if (GZIP_MARK.every((byte, index) => first[index] === byte)) {
    const packed = Readable.from(all);
    const plain = createGunzip();
    // With `pipe` alone the reader would wait for ever when the file cannot be read.
    packed.once('error', (cause) => plain.destroy(cause));
    yield* bytesOf(packed.pipe(plain));
  } else yield* all;
}

async function* bytesOf(stream: Readable): AsyncGenerator<Uint8Array, undefined> {
  for await (const piece of stream) if (piece instanceof Uint8Array) yield piece;
  return undefined;
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

const TEXT = new TextDecoder('utf-8');

/** A first line that begins no JSON and has several cells. */
function looksLikeCsv(line: Uint8Array): boolean {
  const text = TEXT.decode(line.subarray(0, 4_096)).trim();
  return !/^[[{]/.test(text) && !isJson(text) && /[,;\t]/.test(text);
}

/** One array or object over many lines, or a file `.json` that is one array on one line. */
function isOneDocument(line: Uint8Array, file: string): boolean {
  const text = TEXT.decode(line).trim();
  if (!/^[[{]/.test(text)) return false;
  return !isJson(text) || (text.startsWith('[') && /\.json(?:\.gz)?$/i.test(file));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The elements of an array; a document that is no array is one message, and lines that are no document are messages. */
async function* documentMessages(lines: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const line of lines) {
    size += line.length + 1;
    if (size > MAX_DOCUMENT_BYTES) {
      throw new FedloopError(
        'InvalidData',
        `a JSON document of more than ${MAX_DOCUMENT_BYTES / 1024 ** 2} MB is too large to look at`,
        {
          hint: 'Give one message a line (JSON lines).',
        },
      );
    }
    kept.push(line);
  }
  const document = parsed(kept);
  if (document === undefined) yield* kept;
  else if (Array.isArray(document))
    for (const element of document) yield Buffer.from(JSON.stringify(element));
  else yield Buffer.from(JSON.stringify(document));
}

function parsed(lines: readonly Uint8Array[]): unknown {
  try {
    return JSON.parse(TEXT.decode(Buffer.concat(lines.flatMap((line) => [line, NEWLINE]))));
  } catch {
    return undefined;
  }
}

const NEWLINE = Buffer.from('\n');

function unreadable(path: string, cause: unknown): FedloopError {
  return new FedloopError('NotFound', `${path} cannot be read: ${messageOf(cause)}`, {
    hint: 'Give the path of a file or folder with messages, or - for standard input.',
    cause,
  });
}
