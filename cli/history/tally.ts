import { type MappedReading } from '../../core/ingest/readings';
import { type FileMapping } from './choose-mapping';
import { type ReadingReason, type ReadingsCollector } from './collect';
import { type FileRow, type RowReason } from './rows';

/** The first of the rows that were rejected for a reason. */
export interface RejectedRow {
  readonly file: string;
  readonly line: number;
  readonly detail: string;
}

/** Takes rows and counts what became of them. */
export class Tally {
  rows = 0;
  readings = 0;
  readonly rejected = new Map<string, { count: number; first: RejectedRow | null }>();

  constructor(private readonly collector: ReadingsCollector) {}

  async take(row: FileRow, how: FileMapping): Promise<void> {
    this.rows += 1;
    const { content } = row;
    if ('reason' in content) {
      this.reject(row, content.reason, content.detail);
      return;
    }
    const { mapping } = how;
    const mapped =
      'bytes' in content ? mapping.ofBytes(content.bytes) : mapping.ofJson(fieldsOf(content.cells, how));
    for (const { reason, path, detail } of mapped.rejects) this.reject(row, reason, `${path}: ${detail}`);
    for (const reading of mapped.readings) await this.add(row, reading);
  }

  private async add(row: FileRow, reading: MappedReading): Promise<void> {
    const reason = await this.collector.add(reading);
    if (reason === undefined) this.readings += 1;
    else this.reject(row, reason, `of ${reading.deviceId}`);
  }

  private reject({ file, line }: FileRow, reason: RowReason | ReadingReason, detail: string): void {
    this.readings += 1;
    const known = this.rejected.get(reason) ?? { count: 0, first: { file, line, detail } };
    known.count += 1;
    this.rejected.set(reason, known);
  }
}

const NUMBER = /^-?[0-9]+(?:\.[0-9]+)?$/;

/** The cells as fields of a message. */
function fieldsOf(
  cells: Readonly<Record<string, unknown>>,
  { nameOf, millisField }: FileMapping,
): Readonly<Record<string, unknown>> {
  const named: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(cells)) {
    const name = nameOf(column);
    if (name === undefined) continue;
    named[name] =
      name === millisField && typeof value === 'string' && NUMBER.test(value) ? Number(value) : value;
  }
  return named;
}
