import { createReadStream } from 'node:fs';
import { type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MAX_LINE_BYTES } from '../limits';

const NEWLINE = 0x0a;
const QUOTE = 0x22;

/** A line or record of a CSV file. `line` counts from 1, records and blank lines as DuckDB does, so the header is line 1. */
interface CsvLine {
  readonly line: number;
  readonly text: string;
}

/** Bytes of a file, unpacked when its name ends in `.gz`. */
function openText(path: string): Readable {
  const bytes = createReadStream(path);
  if (!path.endsWith('.gz')) return bytes;
  const unpacked = createGunzip();
  // With `pipe` alone the reader would wait for ever when the file cannot be read.
  bytes.once('error', (cause) => unpacked.destroy(cause));
  return bytes.pipe(unpacked);
}

/** A file part by part: its records, in which a quoted cell may hold line breaks, or its lines. Overlong ones come cut. */
export async function* readCsv(path: string, parts: 'records' | 'lines'): AsyncGenerator<CsvLine> {
  const stream = openText(path);
  try {
    let line = 0;
    let pending: Buffer[] = [];
    let size = 0;
    let quotes = 0;
    const finish = (): CsvLine => {
      line += 1;
      const text = Buffer.concat(pending).toString('utf8').replace(/\r$/, '');
      pending = [];
      size = 0;
      quotes = 0;
      return { line, text: line === 1 ? text.replace(/^\uFEFF/, '') : text };
    };
    for await (const chunk of stream) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      let start = 0;
      let counted = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, end + 1)) {
        quotes += countQuotes(bytes.subarray(counted, end));
        counted = end + 1;
        if (parts === 'records' && quotes % 2 === 1 && size + end - start < MAX_LINE_BYTES) continue;
        pending.push(bytes.subarray(start, end));
        start = end + 1;
        yield finish();
      }
      quotes += countQuotes(bytes.subarray(counted));
      const rest = bytes.subarray(start);
      // A copy: a slice would keep its whole chunk alive. Bytes beyond the limit of a line are dropped.
      if (size < MAX_LINE_BYTES) pending.push(Buffer.from(rest));
      size += rest.length;
    }
    if (size > 0) yield finish();
  } finally {
    stream.destroy();
  }
}

function countQuotes(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(QUOTE); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) count += 1;
  return count;
}

/** The first line of a file; undefined where it is empty. */
export async function firstLine(path: string): Promise<string | undefined> {
  for await (const { text } of readCsv(path, 'lines')) return text === '' ? undefined : text;
  return undefined;
}

/** Cells of one record (RFC 4180): a quote inside a quoted cell is doubled. */
export function splitCells(record: string, delimiter: string): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (record[at] === '"') {
      let end = record.indexOf('"', at + 1);
      while (end >= 0 && record[end + 1] === '"') end = record.indexOf('"', end + 2);
      if (end < 0) end = record.length;
      cells.push(record.slice(at + 1, end).replaceAll('""', '"'));
      const next = record.indexOf(delimiter, end);
      if (next < 0) return cells;
      at = next + 1;
    } else {
      const next = record.indexOf(delimiter, at);
      if (next < 0) {
        cells.push(record.slice(at));
        return cells;
      }
      cells.push(record.slice(at, next));
      at = next + 1;
    }
  }
}
