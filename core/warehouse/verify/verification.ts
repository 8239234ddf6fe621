import {
  type AnalysisColumns,
  type EvaluationColumns,
  type RejectReason,
  type Verdict,
} from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { type Sensors } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { analysisTable, EVALUATION_TABLE, REJECTED_TABLE, type ReadTable } from '../database/columns';
import { type Query } from '../database/query';
import { readableBytes } from '../sink/rejects';
import { compareRows, type ComparedTable, type Row, type RowDifference, rowsFrom } from './row-differences';
import { type SplitDevice, SplitDevices } from './split-devices';
import { type StoredBounds, storedRows } from './stored-rows';
import { isReason, noRejects } from './reject-counts';
import { UnexpectedRejects } from './unexpected-rejects';

/** Rows that are collected before the tables are queried for theirs: few queries, and a few megabytes of memory. */
const ROWS_AT_ONCE = 20_000;

/** Rows of a closed window, as the sink has to store them. */
export interface WindowRows {
  readonly partition: number;
  readonly start: Micros;
  readonly end: Micros;
  readonly analysis: AnalysisColumns;
  readonly evaluations: EvaluationColumns;
}

/** Events of a partition by where they are now; `read` is the sum of all the others when nothing was lost. */
interface Accounting {
  readonly partition: number;
  readonly read: number;
  /** Readings in the rows of `stream_analysis_results`. */
  readonly inStoredWindows: number;
  /** In windows whose rows were deleted for their age. */
  readonly inExpiredWindows: number;
  /** In windows that have closed, but whose rows are still on their way into the tables. */
  readonly onTheirWay: number;
  readonly inOpenWindows: number;
  /** Far ahead of the partition's time, and not confirmed by other devices yet. */
  readonly aside: number;
  /** Rows of `rejected_rows` by reason; those on their way are in `onTheirWay`. */
  readonly rejected: Readonly<Record<RejectReason, number>>;
  /** Whether `read` is the sum of all the others. */
  readonly addsUp: boolean;
}

export interface VerificationReport {
  /** Rows that were compared with the tables, by table. */
  readonly compared: Readonly<Record<ReadTable, number>>;
  readonly differences: {
    readonly count: number;
    readonly byTable: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly first: readonly RowDifference[];
  };
  /** Rows that follow from the log and were not in the tables yet; no differences. */
  readonly onTheirWay: number;
  /** Rows past retention: they cannot be compared any more. */
  readonly expired: { readonly rows: number; readonly before: Micros | null };
  readonly accounting: readonly Accounting[];
  /** Their rows follow from the log, and are wrong all the same. */
  readonly splitDevices: readonly SplitDevice[];
}

/** The end of a partition's replay. */
interface PartitionEnd {
  readonly partition: number;
  readonly counts: Readonly<Record<'read' | Verdict, number>>;
  readonly openReadings: number;
  readonly aside: number;
  /** Source offsets of the events aside. */
  readonly asideOffsets: readonly number[];
  /** Source offset behind the last event. */
  readonly next: number;
}

/** A table of one partition: rows that must be there and were not compared yet. */
interface Pending {
  readonly table: ComparedTable;
  readonly partition: number;
  rows: Row[];
  /** Rejects that were written later than those around them: they may be there, or on their way. */
  unsure: Row[];
  /** Window start or source offset up to which the tables were queried, and up to which rows must be there. */
  queried: number;
  reached: number;
  /** Last place without rows. Once the watermark is set back, windows with rows come behind windows without any. */
  reachedEmpty: number;
}

/** Events of one partition in the accounting. */
interface Events {
  stored: number;
  expired: number;
  onTheirWay: number;
  readonly rejected: Record<RejectReason, number>;
}

/**
 * Compares the rows that follow from the logs with the tables, while they come: windows and rejects of each partition in log
 * order, then `finish`.
 */
export class Verification {
  private readonly pending = new Map<string, Pending>();
  private readonly compared = { stream_analysis_results: 0, model_evaluations: 0, rejected_rows: 0 };
  private readonly byTable: Record<string, Record<string, number>> = {};
  private readonly first: RowDifference[] = [];
  private readonly devices = new SplitDevices();
  private differences = 0;
  private onTheirWay = 0;
  private expired = 0;
  private readonly events = new Map<number, Events>();
  private readonly unexpected = new UnexpectedRejects();
  private readonly analysis: ReturnType<typeof analysisTable>;

  /**
   * @param bounds up to where rows must be in the tables; later ones are on their way. undefined: all must be.
   * @param examples differences that the report lists in full.
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

  async window({ partition, start, end, ...columns }: WindowRows): Promise<void> {
    this.devices.see(partition, columns.analysis.device_id);
    const readings = columns.analysis.count.reduce((sum, count) => sum + count, 0);
    const source = { partition, window_start: start, window_end: end, epoch: 0, recordMillis: 0 };
    const analysis = rowsFrom(this.analysis, { ...source, columns: columns.analysis });
    const evaluations = rowsFrom(EVALUATION_TABLE, { ...source, columns: columns.evaluations });
    const events = this.eventsOf(partition);
    if (start < this.expiredBefore) {
      // Rows of days that were not finished may be there still; that the others are gone is no difference.
      this.expired += analysis.length + evaluations.length;
      events.expired += readings;
      for (const table of [this.analysis, EVALUATION_TABLE]) {
        const pending = this.pendingOf(table, partition);
        pending.queried = start;
        pending.reached = start;
      }
      return;
    }
    const isStored = this.expect(this.analysis, partition, start, analysis, this.bounds?.analysis);
    if (!isStored) events.onTheirWay += readings;
    this.expect(EVALUATION_TABLE, partition, start, evaluations, this.bounds?.evaluations);
    await this.lookUp(ROWS_AT_ONCE);
  }

  /** @param decidedAt a row of this offset, or of a later one, was written after this one. */
  async reject(
    partition: number,
    offset: number,
    reason: RejectReason,
    detail: MalformedDetail | undefined,
    value: Uint8Array | null,
    decidedAt = offset,
  ): Promise<void> {
    const raw = readableBytes(value === null ? null : Buffer.from(value));
    const row = [offset, reason, detail ?? '', raw];
    const bound = this.bounds?.rejects.get(partition) ?? -Infinity;
    if (this.bounds !== undefined && offset <= bound && decidedAt > bound) {
      const pending = this.pendingOf(REJECTED_TABLE, partition);
      pending.unsure.push(row);
      pending.reached = offset;
    } else if (!this.expect(REJECTED_TABLE, partition, offset, [row], this.bounds?.rejects)) {
      this.eventsOf(partition).onTheirWay += 1;
    }
    await this.lookUp(ROWS_AT_ONCE);
  }

  async finish(partitions: readonly PartitionEnd[]): Promise<VerificationReport> {
    for (const { partition, next } of partitions) {
      // Rejects behind the last one that must be there would be wrong as well.
      const rejects = this.pendingOf(REJECTED_TABLE, partition);
      const bound = this.bounds === undefined ? next - 1 : (this.bounds.rejects.get(partition) ?? -Infinity);
      rejects.reached = Math.max(rejects.reached, Math.min(bound, next - 1));
    }
    for (const pending of this.pending.values())
      pending.reached = Math.max(pending.reached, pending.reachedEmpty);
    await this.lookUp(0);
    const { differences, decidedSince } = this.unexpected.settle(partitions);
    for (const difference of differences) this.note(difference);
    for (const { partition, reason } of decidedSince)
      if (isReason(reason)) this.eventsOf(partition).rejected[reason] -= 1;
    const { expiredBefore: before } = this;
    return {
      compared: { ...this.compared },
      differences: { count: this.differences, byTable: this.byTable, first: this.first },
      onTheirWay: this.onTheirWay,
      expired: { rows: this.expired, before: Number.isFinite(before) ? before : null },
      accounting: partitions.map((end) => this.accountingOf(end)),
      splitDevices: this.devices.found(),
    };
  }

  private accountingOf({ partition, counts, openReadings, aside }: PartitionEnd): Accounting {
    const { stored, expired, onTheirWay, rejected } = this.eventsOf(partition);
    const rejects = Object.values(rejected).reduce((sum, count) => sum + count, 0);
    const elsewhere = expired + onTheirWay + openReadings + aside;
    return {
      partition,
      read: counts.read,
      inStoredWindows: stored,
      inExpiredWindows: expired,
      onTheirWay,
      inOpenWindows: openReadings,
      aside,
      rejected,
      addsUp: stored + rejects + elsewhere === counts.read,
    };
  }

  private eventsOf(partition: number): Events {
    const known = this.events.get(partition) ?? {
      stored: 0,
      expired: 0,
      onTheirWay: 0,
      rejected: noRejects(),
    };
    this.events.set(partition, known);
    return known;
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
    if (rows.length > 0) pending.reached = place;
    else pending.reachedEmpty = Math.max(pending.reachedEmpty, place);
    return true;
  }

  private pendingOf(table: ComparedTable, partition: number): Pending {
    const name = `${partition}/${table.readAs}`;
    const before = { queried: -Infinity, reached: -Infinity, reachedEmpty: -Infinity };
    const nothing = { table, partition, rows: [], unsure: [], ...before };
    const known = this.pending.get(name) ?? nothing;
    this.pending.set(name, known);
    return known;
  }

  private async lookUp(moreThan: number): Promise<void> {
    for (const pending of this.pending.values()) {
      const { table, partition, unsure, queried, reached } = pending;
      if (reached === queried || (pending.rows.length < moreThan && moreThan > 0)) continue;
      const found = await storedRows(this.query, table, { partition, after: queried, upTo: reached });
      const places = new Set(found.map(([place]) => place));
      const there = unsure.filter(([place]) => places.has(place ?? null));
      const rows = [...pending.rows, ...there];
      this.onTheirWay += unsure.length - there.length;
      this.eventsOf(partition).onTheirWay += unsure.length - there.length;
      pending.rows = [];
      pending.unsure = [];
      pending.queried = reached;
      this.compared[table.readAs] += rows.length;
      this.account(table, partition, found);
      for (const difference of compareRows(table, partition, rows, found)) {
        const isReject = table.readAs === 'rejected_rows' && difference.kind === 'unexpected';
        if (isReject) this.unexpected.add(difference, found);
        else this.note(difference);
      }
    }
  }

  private account(table: ComparedTable, partition: number, found: readonly Row[]): void {
    const events = this.eventsOf(partition);
    const column = (wanted: string): number => table.compared.findIndex(({ name }) => name === wanted);
    if (table.readAs === 'stream_analysis_results')
      for (const row of found) events.stored += Number(row[column('count')]);
    if (table.readAs !== 'rejected_rows') return;
    for (const row of found) {
      const reason = row[column('reason')];
      if (isReason(reason)) events.rejected[reason] += 1;
    }
  }

  private note(difference: RowDifference): void {
    this.differences += 1;
    const kinds = (this.byTable[difference.table] ??= {});
    kinds[difference.kind] = (kinds[difference.kind] ?? 0) + 1;
    if (this.first.length < this.examples) this.first.push(difference);
  }
}
