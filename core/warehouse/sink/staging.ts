import { type AnalysisBlock, type EvaluationBlock } from '../../contracts/blocks';
import { type DeadLetterReason } from '../../contracts/dead-letters';
import { TOPICS } from '../../contracts/topics';
import { RowBuffer, type BlockRows, type FileTable, type RejectedRow } from '../database/columns';
import { type Statements } from '../database/connection';
import { rowsOf, type Block } from './blocks';
import { storeDeadLetters, type DeadLetter } from './dead-letters';
import { newIngestRejects } from './ingest-rejects';
import {
  storeLostRecords,
  storeLostRejects,
  storeLostWindows,
  type LostRecords,
  type LostRejects,
  type LostWindows,
} from './lost-records';
import { fence, judge, type Mark } from './marks';
import { NO_POSITION, positionKey, writePositions, type Position } from './positions';
import { type ReadRecord, type Reading, type UnmappedRow } from './records';
import { judgeNumber, newRejects, type RejectedEvent } from './rejects';
import { MAX_EXAMPLES, NO_RECORDS, type RecordCounts, type SinkReport } from './report';

/** The tables that many rows go into, as the file has them. */
export interface Tables {
  readonly analysis: FileTable<BlockRows<AnalysisBlock>>;
  readonly evaluations: FileTable<BlockRows<EvaluationBlock>>;
  readonly rejects: FileTable<readonly RejectedRow[]>;
}

/** Records judged, before any of them touches the database. */
export class Staging {
  readonly positions = new Map<string, Position>();
  private readonly analysis: RowBuffer<BlockRows<AnalysisBlock>>;
  private readonly evaluations: RowBuffer<BlockRows<EvaluationBlock>>;
  private readonly rejects: RowBuffer<readonly RejectedRow[]>;
  private readonly rejected: RejectedEvent[] = [];
  private readonly unmapped: UnmappedRow[] = [];
  private readonly changes: Extract<Reading, { kind: 'change' }>['change'][] = [];
  private readonly blocks = { stored: 0, 'stored-before': 0, 'older-epoch': 0, gap: 0 };
  private readonly records = new Map<string, RecordCounts>();
  private readonly letters: DeadLetter[] = [];
  private readonly lost: LostRecords[] = [];
  private readonly missing: LostWindows[] = [];
  private readonly lostRejects: LostRejects[] = [];
  private readonly blockMillis: number[] = [];
  private deploymentsChanged = false;

  constructor(
    tables: Tables,
    private readonly before: ReadonlyMap<string, Position>,
  ) {
    this.analysis = new RowBuffer(tables.analysis);
    this.evaluations = new RowBuffer(tables.evaluations);
    this.rejects = new RowBuffer(tables.rejects);
  }

  add(read: ReadRecord): void {
    const { topic, partition, record } = read;
    const key = positionKey({ topic, partition });
    const before = this.positions.get(key) ?? this.before.get(key) ?? NO_POSITION;
    const { nextOffset, mark } = before;
    if (record.offset < nextOffset) return;
    const judged = judgeByFence(read, mark);
    if (judged.reading.kind === 'lost')
      this.lost.push({ topic, partition, from: nextOffset, until: record.offset + 1 });
    else this.count(judged);
    const after = { ...before, ...this.stage(judged, before), nextOffset: record.offset + 1 };
    this.positions.set(key, { ...after, topic, partition });
  }

  async write(inside: Statements): Promise<void> {
    const rejected = [
      ...(await newRejects(inside, this.rejected)),
      ...(await newIngestRejects(inside, this.unmapped)),
    ];
    this.rejects.append(rejected.length, rejected);
    for (const buffer of [this.analysis, this.evaluations, this.rejects]) await buffer.flush(inside.raw);
    for (const change of this.changes) await change(inside);
    await storeDeadLetters(inside, this.letters);
    await storeLostRecords(inside, this.lost);
    await storeLostWindows(inside, this.missing);
    await storeLostRejects(inside, this.lostRejects);
    await writePositions(inside, this.positions.values());
  }

  report(): SinkReport {
    const counts: Partial<Record<DeadLetterReason, number>> = {};
    for (const { reason } of this.letters) counts[reason] = (counts[reason] ?? 0) + 1;
    const examples = this.letters
      .slice(0, MAX_EXAMPLES)
      .map(({ topic, record, detail }) => `${topic} at ${record.offset}: ${detail}`);
    return {
      rows: {
        stream_analysis_results: this.analysis.rows,
        model_evaluations: this.evaluations.rows,
        rejected_rows: this.rejects.rows,
      },
      blocks: this.blocks,
      records: Object.fromEntries(this.records),
      aside: { counts, examples },
      lost: this.lost,
      lostRejects: this.lostRejects,
      blockMillis: this.blockMillis,
      deploymentsChanged: this.deploymentsChanged,
    };
  }

  private count({ topic, reading }: ReadRecord): void {
    if (reading.kind === 'passed') return;
    const { used, aside } = this.records.get(topic) ?? NO_RECORDS;
    const isAside = reading.kind === 'aside';
    this.records.set(topic, { used: used + Number(!isAside), aside: aside + Number(isAside) });
  }

  /** @returns what changes of where the partition stands. */
  private stage(
    { topic, partition, record, reading }: ReadRecord,
    { mark, refused }: Pick<Position, 'mark' | 'refused'>,
  ): Partial<Pick<Position, 'mark' | 'refused'>> {
    switch (reading.kind) {
      case 'block':
        return { mark: this.stageBlock(reading.block, { topic, partition, record }, mark) };
      case 'fence':
        return { mark: fence(mark, reading.epoch, reading.reset) };
      case 'reject':
        return this.stageReject(reading.event, { topic, partition, mark, refused });
      case 'unmapped':
        this.unmapped.push(reading.row);
        return {};
      case 'change':
        this.changes.push(reading.change);
        this.deploymentsChanged ||= topic !== TOPICS.updates.name;
        return {};
      case 'aside': {
        const { reason, detail } = reading;
        this.letters.push({ topic, partition, record, reason, detail });
        return {};
      }
      case 'lost':
        // They are counted by their offsets, and not by their numbers once more.
        return { refused: null };
      case 'passed':
      case 'none':
        return {};
    }
  }

  private stageReject(
    event: RejectedEvent,
    { topic, partition, mark, refused: before }: Omit<Position, 'nextOffset'>,
  ): Partial<Pick<Position, 'refused'>> {
    if (event.epoch !== null && mark !== undefined && event.epoch < mark.epoch) return {};
    this.rejected.push(event);
    const { refused, gap } = judgeNumber(before, event.number);
    if (gap !== null) this.lostRejects.push({ topic, partition, ...gap });
    return { refused };
  }

  private stageBlock(
    block: Block,
    { topic, partition, record }: Pick<ReadRecord, 'topic' | 'partition' | 'record'>,
    mark: Mark | undefined,
  ): Mark {
    const { timestampMillis: recordMillis } = record;
    const { ordinal, last, window_start: windowStart, window_end: windowEnd, after = null } = block;
    const judged = judge(mark, block.epoch, { windowStart, windowEnd, after, ordinal, last });
    this.blocks[judged.judgement] += 1;
    if (judged.gap !== null) {
      this.blocks.gap += 1;
      this.missing.push({ topic, partition, ...judged.gap });
    }
    if (judged.judgement === 'stored') {
      const rows = rowsOf(block);
      if (block.type === 'analysis') this.analysis.append(rows, { ...block, recordMillis });
      else this.evaluations.append(rows, { ...block, recordMillis });
      if (rows > 0) this.blockMillis.push(recordMillis);
    }
    return judged.mark;
  }
}

/** Whoever writes a fence also writes an epoch into each reject. Before the first fence stand those of releases that had neither. */
function judgeByFence(read: ReadRecord, mark: Mark | undefined): ReadRecord {
  const { reading } = read;
  if (reading.kind !== 'reject' || reading.event.epoch !== null || mark === undefined) return read;
  const detail = 'a reject without an epoch, behind a fence';
  return { ...read, reading: { kind: 'aside', reason: 'unknown-epoch', detail } };
}
