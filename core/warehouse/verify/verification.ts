import { type RejectReason, type Verdict } from '../../contracts/blocks';
import { type Micros } from '../../contracts/time';
import { type Sensors } from '../../contracts/task';
import { type AnalysisColumns, type EvaluationColumns } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { analysisTable, EVALUATION_TABLE, REJECTED_TABLE } from '../database/columns';
import { readableBytes } from '../sink/rejects';
import { compareRows, type ComparedTable, type Row, type RowDifference, rowsFrom } from './row-differences';
import { type Query } from '../database/query';
import { type StoredBounds, storedRows } from './stored-rows';

/** Rows that are gathered before the tables are asked for theirs: few questions, and a few megabytes of memory. */
const ROWS_AT_ONCE = 20_000;

/** Rows of a closed window, as the sink has to store them. */
export interface WindowRows {
  readonly partition: number;
  readonly start: Micros;
  readonly end: Micros;
  readonly analysis: AnalysisColumns;
  readonly evaluations: EvaluationColumns;
}

/** Events of a partition by what became of them; `read` is the sum of all the others when nothing was lost. */
export interface Accounting {
  readonly partition: number;
  readonly read: number;
  /** Readings in the rows of `stream_analysis_results`. */
  readonly inStoredWindows: number;
  /** In windows whose rows were let go for their age. */
  readonly inExpiredWindows: number;
  /** In windows that have closed, but whose rows are still on their way into the tables. */
  readonly onTheirWay: number;
  readonly inOpenWindows: number;
  /** Rows of `rejected_rows` by reason; those on their way are in `onTheirWay`. */
  readonly rejected: Readonly<Record<RejectReason, number>>;
  /** Whether `read` is the sum of all the others. */
  readonly addsUp: boolean;
}

export interface VerificationReport {
  /** Rows that were held against the tables, by table. */
  readonly compared: Readonly<Record<ComparedTable['readAs'], number>>;
  readonly differences: {
    readonly count: number;
    readonly byTable: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly first: readonly RowDifference[];
  };
  /** Rows that the log leads to and the tables did not hold yet when they were asked; no differences. */
  readonly onTheirWay: number;
  /** Rows past retention: they cannot be compared any more. */
  readonly expired: { readonly rows: number; readonly before: Micros | null };
  readonly accounting: readonly Accounting[];
}

/** What `finish` is told of a partition's replay. */
export interface PartitionEnd {
  readonly partition: number;
  readonly counts: Readonly<Record<'read' | Verdict, number>>;
  readonly openReadings: number;
  /** Source offset behind the last event. */
  readonly next: number;
}

/** A table of one partition: rows that must be there and were not looked up yet, and up to where that was done. */
interface Pending {
  readonly table: ComparedTable;
  readonly partition: number;
  rows: Row[];
  /** Window start or source offset up to which the tables were asked, and up to which rows must be there. */
  asked: number;
  reached: number;
}

/**
 * Holds the rows that the logs lead to against the tables, while they come: windows and rejects of each partition in log
 * order, then `finish`.
 */
export class Verification {
  private readonly pending = new Map<string, Pending>();
  private readonly compared = { stream_analysis_results: 0, model_evaluations: 0, rejected_rows: 0 };
  private readonly differing = new Map<string, Map<string, number>>();
  private readonly first: RowDifference[] = [];
  private differences = 0;
  private onTheirWay = 0;
  private expired = 0;
  /** Of the accounting, by partition. */
  private readonly stored = new Map<number, { readings: number; rejected: Record<RejectReason, number> }>();
  private readonly expiredReadings = new Map<number, number>();
  private readonly eventsOnTheirWay = new Map<number, number>();
  private readonly analysis: ReturnType<typeof analysisTable>;

  /**
   * @param bounds up to where rows must be in the tables; later ones are on their way. undefined: all must be.
   * @param examples differences that are kept in full.
   */
  constructor(
    private readonly query: Query,
    private readonly bounds: Omit<StoredBounds, 'expiredBefore'> | undefined,
    private readonly expiredBefore: Micros,
    private readonly examples: number,
    sensors: Sensors,
  ) {
    this.analysis = analysisTable(sensors);
  }

  async window(window: WindowRows): Promise<void> {
    const { partition, start, end } = window;
    const readings = window.analysis.count.reduce((sum, count) => sum + count, 0);
    const source = { partition, window_start: start, window_end: end, epoch: 0, recordMillis: 0 };
    const analysis = rowsFrom(this.analysis, window.analysis.device_id.length, {
      ...source,
      columns: window.analysis,
    });
    const evaluations = rowsFrom(EVALUATION_TABLE, window.evaluations.device_id.length, {
      ...source,
      columns: window.evaluations,
    });
    if (start < this.expiredBefore) {
      // Rows of days that were not finished may be there still; that the others are gone is no difference.
      this.expired += analysis.length + evaluations.length;
      add(this.expiredReadings, partition, readings);
      this.passOver(this.analysis, partition, start);
      this.passOver(EVALUATION_TABLE, partition, start);
      return;
    }
    const isStored = this.expect(this.analysis, partition, start, analysis, this.bounds?.analysis);
    if (!isStored) add(this.eventsOnTheirWay, partition, readings);
    this.expect(EVALUATION_TABLE, partition, start, evaluations, this.bounds?.evaluations);
    await this.lookUp(ROWS_AT_ONCE);
  }

  async reject(
    partition: number,
    offset: number,
    reason: RejectReason,
    detail: MalformedDetail | undefined,
    value: Uint8Array | null,
  ): Promise<void> {
    const raw = readableBytes(value === null ? null : Buffer.from(value));
    const row = [offset, reason, detail ?? '', raw];
    const isStored = this.expect(REJECTED_TABLE, partition, offset, [row], this.bounds?.rejects);
    if (!isStored) add(this.eventsOnTheirWay, partition, 1);
    await this.lookUp(ROWS_AT_ONCE);
  }

  async finish(partitions: readonly PartitionEnd[]): Promise<VerificationReport> {
    for (const { partition, next } of partitions) {
      // Rejects behind the last one that must be there would be wrong as well.
      const rejects = this.pendingOf(REJECTED_TABLE, partition);
      const bound = this.bounds === undefined ? next - 1 : (this.bounds.rejects.get(partition) ?? -Infinity);
      rejects.reached = Math.max(rejects.reached, Math.min(bound, next - 1));
    }
    await this.lookUp(0);
    const { expiredBefore: before } = this;
    return {
      compared: { ...this.compared },
      differences: {
        count: this.differences,
        byTable: Object.fromEntries(
          [...this.differing].map(([table, kinds]) => [table, Object.fromEntries(kinds)]),
        ),
        first: this.first,
      },
      onTheirWay: this.onTheirWay,
      expired: { rows: this.expired, before: Number.isFinite(before) ? before : null },
      accounting: partitions.map((end) => this.accountingOf(end)),
    };
  }

  private accountingOf({ partition, counts, openReadings }: PartitionEnd): Accounting {
    const stored = this.stored.get(partition) ?? { readings: 0, rejected: noRejects() };
    const inExpiredWindows = this.expiredReadings.get(partition) ?? 0;
    const onTheirWay = this.eventsOnTheirWay.get(partition) ?? 0;
    const rejected = Object.values(stored.rejected).reduce((sum, count) => sum + count, 0);
    const sum = stored.readings + inExpiredWindows + onTheirWay + openReadings + rejected;
    return {
      partition,
      read: counts.read,
      inStoredWindows: stored.readings,
      inExpiredWindows,
      onTheirWay,
      inOpenWindows: openReadings,
      rejected: stored.rejected,
      addsUp: sum === counts.read,
    };
  }

  /** @returns false when the rows are on their way. */
  private expect(
    table: ComparedTable,
    partition: number,
    place: number,
    rows: readonly Row[],
    bounds: ReadonlyMap<number, number> | undefined,
  ): boolean {
    if (bounds !== undefined && place > (bounds.get(partition) ?? -Infinity)) {
      this.onTheirWay += rows.length;
      return false;
    }
    const pending = this.pendingOf(table, partition);
    pending.rows.push(...rows);
    pending.reached = place;
    return true;
  }

  private passOver(table: ComparedTable, partition: number, place: number): void {
    const pending = this.pendingOf(table, partition);
    pending.asked = place;
    pending.reached = place;
  }

  private pendingOf(table: ComparedTable, partition: number): Pending {
    const name = `${partition}/${table.readAs}`;
    const known = this.pending.get(name) ?? {
      table,
      partition,
      rows: [],
      asked: -Infinity,
      reached: -Infinity,
    };
    this.pending.set(name, known);
    return known;
  }

  private async lookUp(moreThan: number): Promise<void> {
    for (const pending of this.pending.values()) {
      const { table, partition, rows, asked, reached } = pending;
      if (reached === asked || (rows.length < moreThan && moreThan > 0)) continue;
      pending.rows = [];
      pending.asked = reached;
      const found = await storedRows(this.query, table, { partition, after: asked, upTo: reached });
      this.compared[table.readAs] += rows.length;
      this.account(table, partition, found);
      for (const difference of compareRows(table, partition, rows, found)) this.note(difference);
    }
  }

  private account(table: ComparedTable, partition: number, found: readonly Row[]): void {
    const stored = this.stored.get(partition) ?? { readings: 0, rejected: noRejects() };
    this.stored.set(partition, stored);
    const column = (wanted: string): number => table.compared.findIndex(({ name }) => name === wanted);
    if (table.readAs === 'stream_analysis_results')
      for (const row of found) stored.readings += Number(row[column('count')]);
    if (table.readAs !== 'rejected_rows') return;
    for (const row of found) {
      const reason = row[column('reason')];
      if (isReason(reason)) stored.rejected[reason] += 1;
    }
  }

  private note(difference: RowDifference): void {
    this.differences += 1;
    const kinds = this.differing.get(difference.table) ?? new Map<string, number>();
    this.differing.set(difference.table, kinds);
    add(kinds, difference.kind, 1);
    if (this.first.length < this.examples) this.first.push(difference);
  }
}

function add<Key>(sums: Map<Key, number>, key: Key, more: number): void {
  sums.set(key, (sums.get(key) ?? 0) + more);
}

function noRejects(): Record<RejectReason, number> {
  return { late: 0, duplicate: 0, future: 0, malformed: 0 };
}

function isReason(value: unknown): value is RejectReason {
  return typeof value === 'string' && Object.hasOwn(noRejects(), value);
}
