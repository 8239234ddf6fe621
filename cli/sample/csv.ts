import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';

const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const DELIMITERS = [',', ';', '\t', '|'] as const;
const recordSchema = z.record(z.string(), z.string());

/**
 * Records of a CSV file as messages: a field for each column of its header, numbers as numbers, all their digits kept; an empty cell is no
 * field. The delimiter is the one that the header has most of.
 * @throws FedloopError `InvalidData` for a file without a header, or with unbalanced quotes.
 */
export async function* csvMessages(
  header: Uint8Array,
  lines: AsyncIterable<Uint8Array>,
  file: string,
): AsyncGenerator<Uint8Array> {
  const parser = parse({
    columns: true,
    bom: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    delimiter: delimiterOf(Buffer.from(header).toString('utf8'), file),
  });
  const text = Readable.from(withEnds(header, lines));
  // With `pipe` alone the reader would wait for ever when the file cannot be read.
  text.once('error', (cause) => parser.destroy(cause));
  try {
    for await (const record of text.pipe(parser)) yield Buffer.from(jsonOf(recordSchema.parse(record)));
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new FedloopError('InvalidData', `${file} is no CSV: ${cause.message}`, {
      hint: 'Give a file with a header line and balanced quotes.',
      cause,
    });
  }
}

async function* withEnds(header: Uint8Array, lines: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  yield Buffer.concat([header, NEWLINE]);
  for await (const line of lines) yield Buffer.concat([line, NEWLINE]);
}

const NEWLINE = Buffer.from('\n');

function delimiterOf(header: string, file: string): string {
  const counts = DELIMITERS.map((delimiter) => ({ delimiter, count: header.split(delimiter).length - 1 }));
  const [most] = counts.sort((a, b) => b.count - a.count);
  const delimiter = most?.delimiter ?? ',';
  const names = header.split(delimiter).map((name) => name.trim());
  if (names.some((name) => JSON_NUMBER.test(name))) {
    throw new FedloopError(
      'InvalidData',
      `${file} has no header line: it begins with ${header.slice(0, 60).trim()}`,
      {
        hint: 'The first line of a CSV file names its columns.',
      },
    );
  }
  return delimiter;
}

function jsonOf(record: Readonly<Record<string, string>>): string {
  const fields = Object.entries(record).flatMap(([name, cell]) => {
    if (cell === '') return [];
    return [`${JSON.stringify(name)}:${JSON_NUMBER.test(cell) ? cell : JSON.stringify(cell)}`];
  });
  return `{${fields.join(',')}}`;
}
