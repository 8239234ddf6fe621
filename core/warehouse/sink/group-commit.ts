import { MAX_BYTES_PER_TRANSACTION } from '../limits';
import { type SinkRecords } from './records';
import { type SinkReport } from './sink';

interface Waiting {
  readonly batch: SinkRecords;
  readonly resolve: (report: SinkReport) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Group commit: while one transaction runs, batches of other partitions gather, and the next transaction takes them all.
 * Many small blocks so share the fixed cost of a commit.
 */
export class GroupCommit {
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;

  /** `store` keeps batches in one transaction, or none of them. */
  constructor(private readonly store: (batches: readonly SinkRecords[]) => Promise<SinkReport>) {}

  /** Resolves when the batch is kept, with the report on the transaction that it was part of. */
  submit(batch: SinkRecords): Promise<SinkReport> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ batch, resolve, reject });
      this.running ??= this.drain();
    });
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async drain(): Promise<void> {
    // Let everything that arrives in the same turn of the event loop come along.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group = this.takeGroup();
      try {
        const report = await this.store(group.map(({ batch }) => batch));
        for (const { resolve } of group) resolve(report);
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    this.running = undefined;
  }

  private takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { batch } of this.waiting) {
      bytes += batch.records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      if (count > 0 && bytes > MAX_BYTES_PER_TRANSACTION) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }
}
