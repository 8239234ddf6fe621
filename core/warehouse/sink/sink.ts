import { setTimeout as sleep } from 'node:timers/promises';
import { analysisBlockSchema, evaluationBlockSchema } from '../../contracts/blocks';
import { FedloopError, messageOf } from '../../contracts/errors';
import { areTwoLogs } from '../../contracts/log-ids';
import { DEFAULT_TASK, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { analysisTable, EVALUATION_TABLE, REJECTED_TABLE, tableInFile } from '../database/columns';
import { type SerialConnection } from '../database/connection';
import { passesBy } from '../database/trouble';
import { STORE_ATTEMPTS, STORE_RETRY_MS } from '../limits';
import { type StoredDeployments, storedDeployments } from './stored-deployments';
import { completeBefore, type Mark } from './marks';
import { type Origin, type Origins, TRUSTED } from './origins';
import { positionKey, readLogIds, readPositions, writeLogId, type Position } from './positions';
import { forgetStages } from './deployments';
import { readRecord, type ReadingRules } from './reading';
import { type ReadRecord, type SinkRecord, type SinkRecords } from './records';
import { addReports, type SinkReport } from './report';
import { Staging, type Tables } from './staging';

/** Of a fleet that sends canonical events. */
const OWN_EVENTS = { eventTopic: TOPICS.stream.name, messageTopic: undefined };

/**
 * Stores the records of topics, which come at least once each, exactly once: rows, marks and offsets are written in one
 * transaction. After an error nothing of the batch is stored, and the positions are read again.
 */
export class Sink {
  /** Positions in logs that are gone, and were begun anew under the same name. */
  private readonly leftBehind = new Map<string, number>();
  /** After a failure, until the tables could be read. */
  private positionsAreOld = false;

  private constructor(
    private readonly connection: SerialConnection,
    private readonly tables: Tables,
    private readonly rules: Omit<ReadingRules, 'stored'>,
    private positions: Map<string, Position>,
    private readonly origins: Origins,
    private readonly logIds: Map<string, string>,
  ) {}

  /**
   * The file's tables get a column for each covariate that they lack.
   * @param topics where the stream's events come from, and the messages that ingest makes events of.
   */
  static async open(
    connection: SerialConnection,
    task: Task = DEFAULT_TASK,
    origins: Origins = TRUSTED,
    topics: Pick<ReadingRules, 'eventTopic' | 'messageTopic'> = OWN_EVENTS,
  ): Promise<Sink> {
    const tables = await connection.transaction(async (inside) => ({
      analysis: await tableInFile(inside, analysisTable(task)),
      evaluations: await tableInFile(inside, EVALUATION_TABLE),
      rejects: await tableInFile(inside, REJECTED_TABLE),
    }));
    const schemas = { analysis: analysisBlockSchema(task), evaluation: evaluationBlockSchema };
    return new Sink(
      connection,
      tables,
      { task, ...topics, schemas },
      await readPositions(connection),
      origins,
      await readLogIds(connection),
    );
  }

  /** The next offset of a partition that the warehouse lacks; 0 when it has none. */
  nextOffset(topic: string, partition: number): number {
    return this.positions.get(positionKey({ topic, partition }))?.nextOffset ?? 0;
  }

  /**
   * The partition's log is another one: what it has is new, whatever its offsets. Blocks that are stored already are known by their marks; stages are
   * not, and are what the log now says.
   */
  async beginAnew(topic: string, partition: number): Promise<void> {
    if (topic === TOPICS.deployments.name) await this.connection.transaction(forgetStages);
    const key = positionKey({ topic, partition });
    const known = this.positions.get(key);
    if (known === undefined) return;
    this.leftBehind.set(key, known.nextOffset);
    this.positions.set(key, { ...known, nextOffset: 0 });
  }

  /** The log in which the offsets of a topic are; empty where that is not known. */
  logId(topic: string): string {
    return this.logIds.get(topic) ?? '';
  }

  /**
   * A topic is this log from now on. One that has taken the place of another is stored from its beginning, in every partition, whatever it has by now.
   * @returns whether it is another one than was stored before
   */
  async enterLog(topic: string, logId: string): Promise<boolean> {
    if (logId === '' || logId === this.logId(topic)) return false;
    const isAnother = areTwoLogs(this.logId(topic), logId);
    await this.connection.transaction(async (inside) => {
      if (isAnother && topic === TOPICS.deployments.name) await forgetStages(inside);
      await writeLogId(inside, { topic, logId, isAnother });
    });
    this.logIds.set(topic, logId);
    if (isAnother)
      for (const [key, position] of this.positions)
        if (position.topic === topic) this.positions.set(key, { ...position, nextOffset: 0 });
    return isAnother;
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
   * By partition: evaluations of windows that start before are complete, as it has delivered all blocks of them, of either topic. Partitions that never delivered a
   * block are left out; `expected` adds those that are known to have events.
   */
  evaluationBounds(expected: readonly number[] = []): ReadonlyMap<number, Micros> {
    const evaluations = this.marks(TOPICS.evaluations.name);
    const analysis = this.marks(TOPICS.analysis.name);
    const partitions = new Set([
      ...this.partitionsWithBlocks(TOPICS.evaluations.name),
      ...this.partitionsWithBlocks(TOPICS.analysis.name),
      ...expected,
    ]);
    return new Map(
      [...partitions].map((partition) => [
        partition,
        completeBefore([evaluations.get(partition), analysis.get(partition)]),
      ]),
    );
  }

  /**
   * A record that the database refuses is put aside alone, after its retries, and its neighbours are stored.
   * @throws FedloopError `WarehouseFailed` when the database takes nothing: what was not stored can be tried again.
   */
  async store(batches: readonly SinkRecords[]): Promise<SinkReport> {
    const stored = await storedDeployments(this.connection, batches);
    const records = batches.flatMap((batch) => this.read(batch, stored));
    await this.origins.prepare(records.flatMap((record) => originOf(record) ?? []));
    return this.storeOrHalve(records.map((record) => this.judgeOrigin(record)));
  }

  /** What the records say, without those that are stored already. */
  private read(batch: SinkRecords, stored: StoredDeployments): ReadRecord[] {
    const { topic, partition, begins = 0, ends = 0 } = batch;
    const next = this.nextOffset(topic, partition);
    const place = { topic, partition };
    const records = batch.records
      .filter(({ offset }) => offset >= next)
      .map((record) => ({
        ...place,
        record,
        reading: readRecord(topic, partition, record, { ...this.rules, stored }),
      }));
    const lost: ReadRecord = { ...place, record: noRecord(begins - 1), reading: { kind: 'lost' } };
    const passed: ReadRecord = { ...place, record: noRecord(ends - 1), reading: { kind: 'passed' } };
    return [lost, ...records, passed].filter(({ record }) => record.offset >= next);
  }

  private judgeOrigin(read: ReadRecord): ReadRecord {
    const origin = originOf(read);
    const fault = origin && this.origins.faultOf(origin);
    return fault === undefined ? read : { ...read, reading: { kind: 'aside', ...fault } };
  }

  private async storeOrHalve(records: readonly ReadRecord[]): Promise<SinkReport> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.storeOnce(records);
      } catch (cause) {
        // The caller waits for longer, and no record is to blame.
        if (passesBy(cause)) throw cause;
        if (attempt < STORE_ATTEMPTS) await sleep(STORE_RETRY_MS);
        else if (isFaultOfDatabase(cause)) throw cause;
        else if (records.length > 1) break;
        else return this.setAside(records, cause);
      }
    }
    const middle = records.length >> 1;
    const first = await this.storeOrHalve(records.slice(0, middle));
    return addReports(first, await this.storeOrHalve(records.slice(middle)));
  }

  /** Where this fails as well, it is the database that fails, and not the record. */
  private setAside(records: readonly ReadRecord[], cause: unknown): Promise<SinkReport> {
    const detail = messageOf(cause);
    return this.storeOnce(
      records.map((read) => ({ ...read, reading: { kind: 'aside', reason: 'not-storable', detail } })),
    );
  }

  /** A commit that failed may have gone through: what the tables have is not stored again. */
  private isNew({ topic, partition, record }: ReadRecord): boolean {
    return record.offset >= this.nextOffset(topic, partition);
  }

  private async readPositions(): Promise<void> {
    const positions = await readPositions(this.connection);
    // The tables do not know yet that a log is another one by now.
    for (const [key, position] of positions)
      if (position.nextOffset === this.leftBehind.get(key))
        positions.set(key, { ...position, nextOffset: 0 });
    this.positions = positions;
    this.positionsAreOld = false;
  }

  private async storeOnce(records: readonly ReadRecord[]): Promise<SinkReport> {
    try {
      if (this.positionsAreOld) await this.readPositions();
      const staged = new Staging(this.tables, this.positions);
      for (const record of records) if (this.isNew(record)) staged.add(record);
      await this.connection.transaction((inside) => staged.write(inside));
      for (const [key, position] of staged.positions) {
        this.positions.set(key, position);
        if (position.nextOffset > 0) this.leftBehind.delete(key);
      }
      return staged.report();
    } catch (cause) {
      // The tables decide, whether the commit went through before it failed or not.
      this.positionsAreOld = true;
      await this.readPositions().catch(() => undefined);
      throw new FedloopError('WarehouseFailed', `a batch could not be stored: ${messageOf(cause)}`, {
        cause,
      });
    }
  }
}

/** An offset at which there is nothing to read. */
function noRecord(offset: number): SinkRecord {
  return { offset, timestampMillis: 0, key: null, value: null, headers: {} };
}

/** Kinds of DuckDB's errors that no value in a record can bring about. */
const FAULT_OF_DATABASE =
  /^(Error: )?(IO|Catalog|Binder|Parser|TransactionContext|Connection|Permission|INTERRUPT|FATAL|INTERNAL) Error/i;

function isFaultOfDatabase(thrown: unknown): boolean {
  const { cause } = thrown instanceof FedloopError ? thrown : { cause: thrown };
  return FAULT_OF_DATABASE.test(messageOf(cause));
}

/** Where a result says that it comes from; a reject without an epoch is judged by the fence before it. */
function originOf({ partition, reading, record }: ReadRecord): Origin | undefined {
  const { timestampMillis: recordMillis } = record;
  if (reading.kind === 'block') {
    const { epoch, window_start: windowStart } = reading.block;
    return { partition, epoch, windowStart, eventOffset: null, recordMillis };
  }
  if (reading.kind === 'fence') {
    const windowStart = reading.reset?.to ?? null;
    return { partition, epoch: reading.epoch, windowStart, eventOffset: null, recordMillis };
  }
  if (reading.kind !== 'reject') return undefined;
  const { epoch, offset: eventOffset } = reading.event;
  return { partition, epoch, windowStart: null, eventOffset, recordMillis };
}
