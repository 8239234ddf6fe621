import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type BrokenRow } from './broken-rows';
import { readCsv } from './csv';

const QUOTE = /"/g;

interface Salvaged {
  /** A copy with an empty line in the place of each that was set aside: the numbers of the others stay. */
  readonly path: string;
  readonly lines: number;
  readonly broken: readonly BrokenRow[];
  remove(): Promise<void>;
}

/**
 * A quote that is opened and never closed swallows every line up to the next quote, which may be the end of the file. Set the
 * lines with an odd number of quotes aside, so that the others can be counted. Cells that hold a line break on purpose are lost
 * with them: in such a file the two look alike.
 */
export async function setUnbalancedLinesAside(path: string, limit: number): Promise<Salvaged> {
  const folder = await mkdtemp(join(tmpdir(), 'fedloop-batch-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const target = join(folder, 'balanced.csv');
  const broken: BrokenRow[] = [];
  let lines = 0;
  async function* balanced(): AsyncGenerator<string> {
    for await (const { line, text } of readCsv(path, 'lines')) {
      if ((text.match(QUOTE)?.length ?? 0) % 2 === 0) {
        yield `${text}\n`;
        continue;
      }
      yield '\n';
      lines += 1;
      if (broken.length < limit)
        broken.push({ line, reason: 'quotes', detail: 'a quote is never closed', raw: text });
    }
  }
  try {
    await pipeline(Readable.from(balanced()), createWriteStream(target));
    return { path: target, lines, broken, remove };
  } catch (cause) {
    await remove();
    throw cause;
  }
}
