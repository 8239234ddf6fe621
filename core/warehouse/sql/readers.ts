import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FedloopError } from '../../contracts/errors';
import { type Warehouse } from '../database/open';
import { type WarehouseAtRest } from '../database/open-to-read';
import {
  ALL_READERS_BYTES,
  MAX_READERS,
  MAX_SQL_ROWS,
  READER_DEMOTED_AFTER_MS,
  READER_IDLE_MS,
  READER_LOOK_MS,
  READER_WAIT_MS,
  REUSED_READER_BYTES,
  SQL_TIMEOUT_MS,
} from '../limits';
import { refused } from './policy';
import { AT_REST } from './protocol';
import { Reader, type Reply } from './reader';

export interface Question {
  readonly sql: string;
  readonly maxRows?: number;
  /** Whoever asked has gone: the query ends at once. */
  readonly signal?: AbortSignal;
  readonly timeoutMillis?: number;
}

interface ReadersOptions {
  readonly maxReaders?: number;
  readonly waitMillis?: number;
  readonly maxBytes?: number;
}

interface Busy {
  readonly reader: Reader;
  /** Its reader has answered queries before. */
  readonly isReused: boolean;
  /** Why it was ended; undefined while it may go on. */
  endedFor: FedloopError | undefined;
  /** Processor time that its reader had taken before, in ms; measured at the first look. */
  cpuBefore: number | undefined;
}

/**
 * Answers queries in processes beside the one that owns the warehouse, each on a snapshot of the file: a query that takes all memory, or
 * has no end, is killed, and neither the sink nor another query notices.
 */
export class Readers {
  private readonly busy = new Set<Busy>();
  private readonly idle = new Map<Reader, NodeJS.Timeout>();
  private readonly all = new Set<Reader>();
  /** Queries that may run, and those that wait for one of them to end. */
  private taken = 0;
  private readonly waiting: (() => void)[] = [];
  private started = 0;
  private isClosed = false;
  private look: NodeJS.Timeout | undefined;

  private constructor(
    private readonly file: string,
    private readonly folder: string,
    private readonly options: ReadersOptions,
    /** What else a reader is told about the file. */
    private readonly state: readonly string[] = [],
  ) {}

  /** For a file that no process writes, and whose folder may be read-only. Several may read it at once. */
  static async atRest({ path }: WarehouseAtRest, options: ReadersOptions = {}): Promise<Readers> {
    const folder = await mkdtemp(join(tmpdir(), 'fedloop-readers-'));
    return new Readers(path, folder, options, [AT_REST]);
  }

  static async open(warehouse: Warehouse, options: ReadersOptions = {}): Promise<Readers> {
    const folder = `${warehouse.path}.readers`;
    // What a killed process has left.
    await rm(folder, { recursive: true, force: true });
    await warehouse.admitReaders();
    return new Readers(warehouse.path, folder, options);
  }

  /**
   * @returns the answer as JSON (`answerSql`).
   * @throws FedloopError `InvalidInput` for a query that is refused or reaches a limit, `WarehouseFailed`, `Interrupted`
   */
  async ask(question: Question): Promise<Buffer> {
    try {
      return await this.askOne(question, this.idle.keys());
    } catch (cause) {
      if (!(cause instanceof UsedUp)) throw cause;
      return await this.askOne(question, []);
    }
  }

  /** @param reusable readers to take, if there is one. */
  private async askOne(question: Question, reusable: Iterable<Reader>): Promise<Buffer> {
    const { sql, maxRows = MAX_SQL_ROWS, signal, timeoutMillis = SQL_TIMEOUT_MS } = question;
    await this.place(signal);
    const busy: Busy = { ...this.takeReader(reusable), endedFor: undefined, cpuBefore: undefined };
    this.busy.add(busy);
    const timer = setTimeout(() => {
      end(busy, tooLong(timeoutMillis));
    }, timeoutMillis);
    const stop = (): void => {
      end(busy, stopped());
    };
    signal?.addEventListener('abort', stop, { once: true });
    this.watch();
    try {
      if (signal?.aborted === true) stop();
      return answerOf(await busy.reader.ask({ sql, maxRows }), busy);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      this.busy.delete(busy);
      this.giveBack(busy);
    }
  }

  /** End every query and process. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const next of this.waiting.splice(0)) next();
    clearInterval(this.look);
    for (const timer of this.idle.values()) clearTimeout(timer);
    for (const busy of this.busy) end(busy, stopped());
    for (const reader of this.all) reader.kill();
    await Promise.all([...this.all].map(({ ended }) => ended));
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Wait until fewer than the most run. */
  private async place(signal: AbortSignal | undefined): Promise<void> {
    const { maxReaders = MAX_READERS, waitMillis = READER_WAIT_MS } = this.options;
    const deadline = performance.now() + waitMillis;
    while (this.taken >= maxReaders && !this.isClosed) {
      const left = deadline - performance.now();
      if (signal?.aborted === true) throw stopped();
      if (left <= 0)
        throw refused(
          `${maxReaders} other queries run already, the most at once; ask again when one has ended`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        const next = (): void => {
          clearTimeout(timer);
          resolve();
        };
        this.waiting.push(next);
        signal?.addEventListener('abort', next, { once: true });
      });
    }
    if (this.isClosed) throw stopped();
    this.taken += 1;
  }

  private takeReader(reusable: Iterable<Reader>): Pick<Busy, 'reader' | 'isReused'> {
    for (const reader of reusable) {
      clearTimeout(this.idle.get(reader));
      this.idle.delete(reader);
      if (reader.isAlive) return { reader, isReused: true };
    }
    this.started += 1;
    const reader = new Reader(this.file, join(this.folder, String(this.started)), this.state);
    this.all.add(reader);
    void reader.ended.then(() => this.all.delete(reader));
    return { reader, isReused: false };
  }

  private giveBack({ reader, endedFor }: Busy): void {
    if (endedFor === undefined) void this.keep(reader);
    this.taken -= 1;
    for (const next of this.waiting.splice(0)) next();
  }

  /** For the next query, unless it has grown: neither Node nor DuckDB gives all memory back. */
  private async keep(reader: Reader): Promise<void> {
    const hasGrown = (await reader.residentBytes()) > REUSED_READER_BYTES;
    if (hasGrown || !reader.isReusable || this.isClosed) {
      reader.kill();
      return;
    }
    const timer = setTimeout(() => {
      this.idle.delete(reader);
      reader.kill();
    }, READER_IDLE_MS);
    this.idle.set(reader, timer.unref());
  }

  /** While queries run: the largest is ended when all together have too much, and long ones get the lowest priority. */
  private watch(): void {
    this.look ??= setInterval(() => {
      if (this.busy.size > 0) {
        void this.endLargest();
        for (const busy of this.busy) void demoteIfLong(busy);
        return;
      }
      clearInterval(this.look);
      this.look = undefined;
    }, READER_LOOK_MS).unref();
  }

  private async endLargest(): Promise<void> {
    const { maxBytes = ALL_READERS_BYTES } = this.options;
    const sizes = await Promise.all(
      [...this.all].map(async (reader) => ({ reader, bytes: await reader.residentBytes() })),
    );
    if (sizes.reduce((sum, { bytes }) => sum + bytes, 0) <= maxBytes) return;
    // Before a query is ended, those go that nobody asks anything.
    const unused = sizes.filter(({ reader }) => this.idle.has(reader));
    const largest = (unused.length > 0 ? unused : sizes).reduce((one, other) =>
      other.bytes > one.bytes ? other : one,
    ).reader;
    const busy = [...this.busy].find(({ reader }) => reader === largest);
    if (busy === undefined) largest.kill();
    else end(busy, tooMuchMemory());
  }
}

async function demoteIfLong(busy: Busy): Promise<void> {
  const millis = await busy.reader.processorMillis();
  busy.cpuBefore ??= millis;
  if (millis - busy.cpuBefore > READER_DEMOTED_AFTER_MS) await busy.reader.demote();
}

function end(busy: Busy, why: FedloopError): void {
  busy.endedFor ??= why;
  busy.reader.kill();
}

function answerOf(reply: Reply | undefined, { endedFor, reader, isReused }: Busy): Buffer {
  const usedUp = (): Error => (isReused ? new UsedUp() : tooMuchMemory());
  if (reply === undefined)
    throw endedFor ?? (reader.exitCode === undefined ? usedUp() : gone(reader.exitCode));
  if (reply.outcome === 'answered') return reply.body;
  const text = reply.body.toString('utf8');
  if (reply.outcome === 'failed') throw new FedloopError('WarehouseFailed', text);
  throw /out of memory|bad allocation|bad_alloc/i.test(text) ? usedUp() : refused(text);
}

/** A reader lacked memory that answered queries before, which keep some of it: a new one may have enough. */
class UsedUp extends Error {}

function tooLong(millis: number): FedloopError {
  return refused(
    `the query ran longer than ${millis / 1_000} s and was ended; ask about fewer rows, or work on a copy (fedloop warehouse export)`,
  );
}

function tooMuchMemory(): FedloopError {
  return refused(
    'the query needed more memory than a query may have and was ended; ask about fewer rows or columns, or work on a copy (fedloop warehouse export)',
  );
}

function gone(exitCode: number): FedloopError {
  const hint = 'Ask again; when it happens every time, look at the disk and the log of the analytics worker.';
  return new FedloopError('WarehouseFailed', `the process of the query ended by itself with ${exitCode}`, {
    hint,
  });
}

function stopped(): FedloopError {
  return new FedloopError('Interrupted', 'the query was stopped');
}
