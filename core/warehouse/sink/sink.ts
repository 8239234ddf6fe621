import { type z } from 'zod';
import {
  analysisBlockSchema,
  evaluationBlockSchema,
  type AnalysisBlock,
  type EvaluationBlock,
} from '../../contracts/blocks';
import { FedloopError, messageOf } from '../../contracts/errors';
import { DEFAULT_TASK, type Sensors } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { undecodableSentence } from '../../contracts/undecodable';
import { parseJson } from '../../contracts/validation';
import {
  analysisTable,
  EVALUATION_TABLE,
  REJECTED_TABLE,
  RowBuffer,
  tableInFile,
  type BlockRows,
  type FileTable,
  type ReadTable,
  type RejectedRow,
} from '../database/columns';
import { type SerialConnection, type Statements } from '../database/connection';
import { activationChange } from './activations';
import { parseBlock, rowsOf, type Block } from './blocks';
import { deploymentChange } from './deployments';
import { completeBefore, fence, judge, type Judgement, type Mark } from './marks';
import { positionKey, readPositions, writePositions, type Position } from './positions';
import { type Change, type SinkRecord, type SinkRecords } from './records';
import { newIngestRejects, parseIngestReject } from './ingest-rejects';
import { newRejects, parseReject, type RejectedEvent } from './rejects';
import { updateChange } from './updates';

/** What one transaction did. */
export interface SinkReport {
  /** Rows stored, by table. */
  readonly rows: Readonly<Record<ReadTable, number>>;
  /** Blocks by judgement. A gap is a block that never came before a stored one. */
  readonly blocks: Readonly<Record<Judgement | 'gap', number>>;
  /** Messages that are not valid and were skipped, with the first few reasons. */
  readonly invalid: { readonly count: number; readonly examples: readonly string[] };
  /** Broker times of the stored blocks, for the latency from a window's close to its readable row. */
  readonly blockMillis: readonly number[];
  /** Versions, stages or activations changed. */
  readonly deploymentsChanged: boolean;
}

const MAX_EXAMPLES = 3;

/** Topics whose messages change rows one by one. */
const CHANGES: Readonly<Record<string, (record: SinkRecord) => Change>> = {
  [TOPICS.deployments.name]: deploymentChange,
  [TOPICS.updates.name]: updateChange,
  [TOPICS.checkpoints.name]: activationChange,
};

/** The tables that many rows go into, as the file has them, and the schemas of their blocks. */
interface Tables {
  readonly schemas: Readonly<Record<Block['type'], z.ZodType<Block>>>;
  readonly analysis: FileTable<BlockRows<AnalysisBlock>>;
  readonly evaluations: FileTable<BlockRows<EvaluationBlock>>;
  readonly rejects: FileTable<readonly RejectedRow[]>;
}

/**
 * Stores the records of topics, which come at least once each, exactly once: rows, marks and offsets are written in one
 * transaction. After an error nothing of the batch is stored, and the positions are read again.
 */
export class Sink {
  private constructor(
    private readonly connection: SerialConnection,
    private readonly tables: Tables,
    private positions: Map<string, Position>,
  ) {}

  /** The file's tables get a column for each covariate that they lack. */
  static async open(connection: SerialConnection, sensors: Sensors = DEFAULT_TASK): Promise<Sink> {
    const tables = await connection.transaction(async (inside) => ({
      schemas: { analysis: analysisBlockSchema(sensors), evaluation: evaluationBlockSchema },
      analysis: await tableInFile(inside, analysisTable(sensors)),
      evaluations: await tableInFile(inside, EVALUATION_TABLE),
      rejects: await tableInFile(inside, REJECTED_TABLE),
    }));
    return new Sink(connection, tables, await readPositions(connection));
  }

  /** The next offset of a partition that the warehouse lacks; 0 when it has none. */
  nextOffset(topic: string, partition: number): number {
    return this.positions.get(positionKey({ topic, partition }))?.nextOffset ?? 0;
  }

  /** Marks of a topic of blocks by partition. */
  marks(topic: string): ReadonlyMap<number, Mark> {
    const marks = new Map<number, Mark>();
    for (const { topic: name, partition, mark } of this.positions.values())
      if (name === topic && mark !== undefined) marks.set(partition, mark);
    return marks;
  }

  /** Partitions that have delivered a block. A fence, which every owner writes first, is none. */
  partitionsWithBlocks(topic: string): ReadonlySet<number> {
    const marks = [...this.marks(topic)].filter(([, { place }]) => place !== null);
    return new Set(marks.map(([partition]) => partition));
  }

  /**
   * Evaluations of windows that start before the result are complete: every partition that ever delivered blocks, of either
   * topic, has delivered all of them. `expected` adds partitions that are known to have events.
   */
  evaluationsCompleteBefore(expected: readonly number[] = []): Micros {
    const evaluations = this.marks(TOPICS.evaluations.name);
    const analysis = this.marks(TOPICS.analysis.name);
    const partitions = new Set([
      ...this.partitionsWithBlocks(TOPICS.evaluations.name),
      ...this.partitionsWithBlocks(TOPICS.analysis.name),
      ...expected,
    ]);
    return completeBefore(
      [...partitions].flatMap((partition) => [evaluations.get(partition), analysis.get(partition)]),
    );
  }

  /** @throws FedloopError `WarehouseFailed`; nothing of the batch was stored, and it can be tried again. */
  async store(batches: readonly SinkRecords[]): Promise<SinkReport> {
    const staged = new Staging(this.tables, this.positions);
    for (const batch of batches) staged.add(batch);
    try {
      await this.connection.transaction((inside) => staged.write(inside));
      for (const [key, position] of staged.positions) this.positions.set(key, position);
      return staged.report();
    } catch (cause) {
      // The tables decide, whether the commit went through before it failed or not.
      this.positions = await readPositions(this.connection).catch(() => this.positions);
      throw new FedloopError('WarehouseFailed', `a batch could not be stored: ${messageOf(cause)}`, {
        cause,
      });
    }
  }
}

/** A batch parsed and judged, before any of it touches the database. */
class Staging {
  readonly positions = new Map<string, Position>();
  private readonly analysis: RowBuffer<BlockRows<AnalysisBlock>>;
  private readonly evaluations: RowBuffer<BlockRows<EvaluationBlock>>;
  private readonly rejects: RowBuffer<readonly RejectedRow[]>;
  private readonly rejected: RejectedEvent[] = [];
  private readonly unmapped: RejectedRow[] = [];
  private readonly changes: Exclude<Change, string | undefined>[] = [];
  private readonly blocks = { stored: 0, 'stored-before': 0, 'older-epoch': 0, gap: 0 };
  private readonly blockMillis: number[] = [];
  private readonly examples: string[] = [];
  private invalid = 0;
  private deploymentsChanged = false;

  constructor(
    private readonly tables: Tables,
    private readonly before: ReadonlyMap<string, Position>,
  ) {
    this.analysis = new RowBuffer(tables.analysis);
    this.evaluations = new RowBuffer(tables.evaluations);
    this.rejects = new RowBuffer(tables.rejects);
  }

  add({ topic, partition, records }: SinkRecords): void {
    const key = positionKey({ topic, partition });
    const position = this.positions.get(key) ?? this.before.get(key);
    let { nextOffset, mark } = position ?? { nextOffset: 0, mark: undefined };
    for (const record of records) {
      if (record.offset < nextOffset) continue;
      nextOffset = record.offset + 1;
      mark = this.stage(topic, partition, record, mark);
    }
    this.positions.set(key, { topic, partition, nextOffset, mark });
  }

  async write(inside: Statements): Promise<void> {
    const rejected = [
      ...(await newRejects(inside, this.rejected)),
      ...(await newIngestRejects(inside, this.unmapped)),
    ];
    this.rejects.append(rejected.length, rejected);
    for (const buffer of [this.analysis, this.evaluations, this.rejects]) await buffer.flush(inside.raw);
    for (const change of this.changes) await change(inside);
    await writePositions(inside, this.positions.values());
  }

  report(): SinkReport {
    return {
      rows: {
        stream_analysis_results: this.analysis.rows,
        model_evaluations: this.evaluations.rows,
        rejected_rows: this.rejects.rows,
      },
      blocks: this.blocks,
      invalid: { count: this.invalid, examples: this.examples },
      blockMillis: this.blockMillis,
      deploymentsChanged: this.deploymentsChanged,
    };
  }

  /** @returns the partition's mark afterwards. */
  private stage(
    topic: string,
    partition: number,
    record: SinkRecord,
    mark: Mark | undefined,
  ): Mark | undefined {
    const { undecodable } = record;
    if (undecodable !== undefined) {
      this.skip(topic, record, undecodableSentence(record.offset, undecodable));
      return mark;
    }
    if (topic === TOPICS.analysis.name) return this.stageBlock('analysis', partition, record, mark);
    if (topic === TOPICS.evaluations.name) return this.stageBlock('evaluation', partition, record, mark);
    if (topic === TOPICS.rejects.name) return this.stageReject(record, mark);
    if (topic === TOPICS.ingestRejects.name) {
      this.stageUnmapped(record);
      return mark;
    }
    const changeOf = CHANGES[topic];
    if (changeOf === undefined) throw new RangeError(`the warehouse stores nothing of ${topic}`);
    const change = changeOf(record);
    if (typeof change === 'string') this.skip(topic, record, change);
    else if (change !== undefined) {
      this.changes.push(change);
      this.deploymentsChanged ||= topic !== TOPICS.updates.name;
    }
    return mark;
  }

  private stageBlock(
    type: Block['type'],
    partition: number,
    record: SinkRecord,
    mark: Mark | undefined,
  ): Mark | undefined {
    const parsed = parseBlock(this.tables.schemas[type], parseJson(record.value));
    const block =
      typeof parsed === 'string' || parsed.partition === partition
        ? parsed
        : `a block of partition ${parsed.partition}`;
    if (typeof block === 'string') {
      this.skip(type, record, block);
      return mark;
    }
    if (block.type === 'fence') return fence(mark, block.epoch, block.reset);
    const place = { windowStart: block.window_start, ordinal: block.ordinal, last: block.last };
    const judged = judge(mark, block.epoch, place);
    this.blocks[judged.judgement] += 1;
    if (judged.gap) this.blocks.gap += 1;
    if (judged.judgement === 'stored') {
      const { timestampMillis: recordMillis } = record;
      const rows = rowsOf(block);
      if (block.type === 'analysis') this.analysis.append(rows, { ...block, recordMillis });
      else this.evaluations.append(rows, { ...block, recordMillis });
      if (rows > 0) this.blockMillis.push(recordMillis);
    }
    return judged.mark;
  }

  private stageReject(record: SinkRecord, mark: Mark | undefined): Mark | undefined {
    const event = parseReject(record);
    if (event === undefined) this.skip(TOPICS.rejects.name, record, 'a reject without its headers');
    else if ('fence' in event) return fence(mark, event.fence);
    else if (event.epoch === null || mark === undefined || event.epoch >= mark.epoch)
      this.rejected.push(event);
    return mark;
  }

  private stageUnmapped(record: SinkRecord): void {
    const reject = parseIngestReject(record);
    if (reject === undefined) this.skip(TOPICS.ingestRejects.name, record, 'a reject without its headers');
    else this.unmapped.push(reject);
  }

  private skip(topic: string, record: SinkRecord, why: string): void {
    this.invalid += 1;
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(`${topic} at ${record.offset}: ${why}`);
  }
}
