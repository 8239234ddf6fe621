import { FedloopError, messageOf } from '../../contracts/errors';
import { DEFAULT_TASK, type Sensors } from '../../contracts/task';
import { TOPICS } from '../../contracts/topics';
import { type Micros } from '../../contracts/time';
import { parseActivation, storeActivation } from './activations';
import { type BlockBuffers, BlockTables, placeOf, rowsOf, type Block } from './blocks';
import { type SerialConnection, type Statements } from '../database/connection';
import { parseDeployment, storeDeployment } from './deployments';
import { completeBefore, fence, judge, type Mark } from './marks';
import { positionKey, readPositions, splitKey, type Position, writePositions } from './positions';
import { type SinkRecord, type SinkRecords } from './records';
import { parseReject, storeRejects, type RejectedEvent } from './rejects';
import { parseUpdate, storeUpdate } from './updates';
import { parseJson } from '../../contracts/validation';

/** What one transaction did. */
export interface SinkReport {
  readonly rows: { readonly analysis: number; readonly evaluations: number; readonly rejects: number };
  readonly blocks: {
    readonly stored: number;
    readonly storedBefore: number;
    readonly olderEpoch: number;
    readonly gaps: number;
  };
  /** Messages that could not be understood, with the first few reasons; they are passed over. */
  readonly invalid: { readonly count: number; readonly examples: readonly string[] };
  /** Broker times of the stored blocks, for the latency from a window's close to its readable row. */
  readonly blockMillis: readonly number[];
  /** Versions, stages, activations or settings changed. */
  readonly deploymentsChanged: boolean;
}

const MAX_EXAMPLES = 3;

/**
 * Takes records of every topic that the warehouse keeps, at least once each, and stores each exactly once: rows, marks and
 * offsets go into one transaction. After an error nothing of the batch is kept, and the positions are read again.
 */
export class Sink {
  private constructor(
    private readonly connection: SerialConnection,
    private readonly tables: BlockTables,
    private positions: Map<string, Position>,
  ) {}

  static async open(connection: SerialConnection, sensors: Sensors = DEFAULT_TASK): Promise<Sink> {
    const tables = await connection.transaction((inside) => BlockTables.open(inside, sensors));
    return new Sink(connection, tables, await readPositions(connection));
  }

  /** The next offset of a partition that the warehouse lacks; 0 when it has none. */
  nextOffset(topic: string, partition: number): number {
    return this.positions.get(positionKey(topic, partition))?.nextOffset ?? 0;
  }

  /** Marks of a topic of blocks by partition. */
  marks(topic: string): ReadonlyMap<number, Mark> {
    const marks = new Map<number, Mark>();
    for (const [key, { mark }] of this.positions) {
      const [name, partition] = splitKey(key);
      if (name === topic && mark !== undefined) marks.set(partition, mark);
    }
    return marks;
  }

  /**
   * Evaluations of windows that start before the result are complete: every partition that ever delivered blocks, of either
   * topic, has delivered all of them. `expected` adds partitions that are known to have events.
   */
  evaluationsCompleteBefore(expected: readonly number[] = []): Micros {
    const evaluations = this.marks(TOPICS.evaluations.name);
    const analysis = this.marks(TOPICS.analysis.name);
    const partitions = new Set([...evaluations.keys(), ...analysis.keys(), ...expected]);
    return completeBefore(
      [...partitions].flatMap((partition) => [evaluations.get(partition), analysis.get(partition)]),
    );
  }

  /** @throws FedloopError `WarehouseFailed`; nothing of the batch was kept, and it can be tried again. */
  async store(batches: readonly SinkRecords[]): Promise<SinkReport> {
    const staged = new Staging(this.tables, this.positions);
    for (const batch of batches) staged.add(batch);
    try {
      const rejects = await this.connection.transaction((inside) => staged.write(inside));
      for (const [key, position] of staged.positions) this.positions.set(key, position);
      return staged.report(rejects);
    } catch (cause) {
      // What the tables say holds, whether the commit went through before it failed or not.
      this.positions = await readPositions(this.connection).catch(() => this.positions);
      throw new FedloopError('WarehouseFailed', `a batch could not be stored: ${messageOf(cause)}`, {
        cause,
      });
    }
  }
}

/** A batch judged and parsed, before any of it touches the database. */
class Staging {
  readonly positions = new Map<string, Position>();
  private readonly buffers: BlockBuffers;
  private readonly rejects: RejectedEvent[] = [];
  private readonly statements: ((inside: Statements) => Promise<void>)[] = [];
  private readonly blocks = { stored: 0, storedBefore: 0, olderEpoch: 0, gaps: 0 };
  private readonly blockMillis: number[] = [];
  private readonly examples: string[] = [];
  private invalid = 0;
  private deploymentsChanged = false;

  constructor(
    private readonly tables: BlockTables,
    private readonly before: ReadonlyMap<string, Position>,
  ) {
    this.buffers = tables.buffers();
  }

  add({ topic, partition, records }: SinkRecords): void {
    const key = positionKey(topic, partition);
    let { nextOffset, mark } = this.positions.get(key) ??
      this.before.get(key) ?? { nextOffset: 0, mark: undefined };
    for (const record of records) {
      if (record.offset < nextOffset) continue;
      nextOffset = record.offset + 1;
      mark = this.take(topic, partition, record, mark);
    }
    this.positions.set(key, { nextOffset, mark });
  }

  async write(inside: Statements): Promise<number> {
    await this.buffers.analysis.flush(inside.raw);
    await this.buffers.evaluations.flush(inside.raw);
    const rejects = await storeRejects(inside, this.rejects);
    for (const statement of this.statements) await statement(inside);
    await writePositions(inside, this.positions);
    return rejects;
  }

  report(rejects: number): SinkReport {
    return {
      rows: { analysis: this.buffers.analysis.rows, evaluations: this.buffers.evaluations.rows, rejects },
      blocks: this.blocks,
      invalid: { count: this.invalid, examples: this.examples },
      blockMillis: this.blockMillis,
      deploymentsChanged: this.deploymentsChanged,
    };
  }

  /** @returns the partition's mark afterwards. */
  private take(
    topic: string,
    partition: number,
    record: SinkRecord,
    mark: Mark | undefined,
  ): Mark | undefined {
    switch (topic) {
      case TOPICS.analysis.name:
        return this.takeBlock('analysis', partition, record, mark);
      case TOPICS.evaluations.name:
        return this.takeBlock('evaluation', partition, record, mark);
      case TOPICS.rejects.name:
        return this.takeReject(record, mark);
      case TOPICS.deployments.name: {
        const message = parseDeployment(record);
        if (message === undefined) {
          if (record.value !== null) this.reject(topic, record, 'not a message of model-deployments');
          return mark;
        }
        this.deploymentsChanged = true;
        this.statements.push((inside) => storeDeployment(inside, message, record.offset));
        return mark;
      }
      case TOPICS.updates.name: {
        const message = parseUpdate(record);
        if (typeof message === 'string') this.reject(topic, record, message);
        else if (message !== undefined) this.statements.push((inside) => storeUpdate(inside, message));
        return mark;
      }
      case TOPICS.checkpoints.name: {
        const message = parseActivation(record);
        if (message === undefined) return mark;
        this.deploymentsChanged = true;
        this.statements.push((inside) => storeActivation(inside, message, record.offset));
        return mark;
      }
      default:
        throw new RangeError(`the warehouse keeps nothing of ${topic}`);
    }
  }

  private takeBlock(
    type: Block['type'],
    partition: number,
    record: SinkRecord,
    mark: Mark | undefined,
  ): Mark | undefined {
    const block = this.tables.parse(type, parseJson(record.value));
    if (typeof block === 'string' || block.partition !== partition) {
      this.reject(
        type,
        record,
        typeof block === 'string' ? block : `a block of partition ${block.partition}`,
      );
      return mark;
    }
    if (block.type === 'fence') return fence(mark, block.epoch);
    const judged = judge(mark, block.epoch, placeOf(block));
    switch (judged.judgement) {
      case 'store':
        this.buffers.add(block, record.timestampMillis);
        this.blocks.stored += 1;
        if (judged.gap) this.blocks.gaps += 1;
        if (rowsOf(block) > 0) this.blockMillis.push(record.timestampMillis);
        break;
      case 'stored-before':
        this.blocks.storedBefore += 1;
        break;
      case 'older-epoch':
        this.blocks.olderEpoch += 1;
        break;
    }
    return judged.mark;
  }

  private takeReject(record: SinkRecord, mark: Mark | undefined): Mark | undefined {
    const event = parseReject(record);
    if (event === undefined) {
      this.reject(TOPICS.rejects.name, record, 'a reject without its headers');
      return mark;
    }
    if ('fence' in event) return fence(mark, event.fence);
    const isVoid = event.epoch !== null && mark !== undefined && event.epoch < mark.epoch;
    if (!isVoid) this.rejects.push(event);
    return mark;
  }

  private reject(topic: string, record: SinkRecord, why: string): void {
    this.invalid += 1;
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(`${topic} at ${record.offset}: ${why}`);
  }
}
