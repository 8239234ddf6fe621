import { MAX_BYTES_PER_TRANSACTION } from '../limits';
import { type SinkRecords } from './records';
import { type SinkReport } from './report';

interface Waiting {
  readonly batch: SinkRecords;
  readonly resolve: (report: SinkReport) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Group commit: batches of other partitions gather while one transaction runs, and the next transaction stores them all. So many
 * small blocks share the fixed cost of a commit.
 */
export class GroupCommit {
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;

  /** @param store stores all batches in one transaction, or none of them. */
  constructor(private readonly store: (batches: readonly SinkRecords[]) => Promise<SinkReport>) {}

  /** Resolves when the batch is stored, with the report of its transaction. */
  submit(batch: SinkRecords): Promise<SinkReport> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ batch, resolve, reject });
      this.running ??= this.drain();
    });
  }

  /** Resolves when no transaction runs. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async drain(): Promise<void> {
    // Batches that arrive in the same turn of the event loop share the first transaction.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group = this.nextGroup();
      try {
        const report = await this.store(group.map(({ batch }) => batch));
        for (const { resolve } of group) resolve(report);
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    this.running = undefined;
  }

  private nextGroup(): Waiting[] {
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
