import { INTEGER } from '@duckdb/node-api';
import { z } from 'zod';
import { aheadOf, halfOf } from '../../contracts/partition-times';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { insertRows } from '../database/insert';
import { column } from '../database/values';

/** With two partitions nobody knows which clock is right. */
const MIN_PARTITIONS = 3;

/**
 * Partitions that are ahead of the others while these deliver. When the others pause, whoever goes on gets ahead of them: that says nothing of
 * its clock, so what was known before holds until at least half of the partitions have delivered again. A restart in the pause knows it from
 * the table `ahead_partitions`.
 */
export class AheadPartitions {
  private readonly before = new Map<number, Micros>();
  private readonly delivered = new Set<number>();

  constructor(
    private readonly patience: Micros,
    private readonly keep: (ahead: readonly number[]) => Promise<void>,
    private ahead: ReadonlySet<number>,
  ) {}

  static async open(connection: SerialConnection, patience: Micros): Promise<AheadPartitions> {
    const rows = await connection.rows(
      aheadRow,
      'SELECT source_partition AS "partition" FROM ahead_partitions',
    );
    const known = new Set(rows.map(({ partition }) => partition));
    return new AheadPartitions(patience, (ahead) => keepAhead(connection, ahead), known);
  }

  /** @param bounds of every partition: windows that start before it are delivered. */
  async among(bounds: ReadonlyMap<number, Micros>): Promise<ReadonlySet<number>> {
    for (const [partition, before] of bounds) {
      // What was there at the start of this process says nothing of who delivers now.
      if ((this.before.get(partition) ?? before) !== before) this.delivered.add(partition);
      this.before.set(partition, before);
    }
    if (bounds.size < MIN_PARTITIONS || this.delivered.size < halfOf(bounds.size)) return this.ahead;
    const ahead = aheadOf(bounds, this.patience);
    if ([...ahead].join() !== [...this.ahead].join()) await this.keep([...ahead]);
    this.delivered.clear();
    this.ahead = ahead;
    return ahead;
  }
}

const aheadRow = z.object({ partition: z.int() });

async function keepAhead(connection: SerialConnection, ahead: readonly number[]): Promise<void> {
  await connection.transaction(async (inside) => {
    await inside.run('DELETE FROM ahead_partitions');
    const own = { source_partition: column(ahead, INTEGER, (partition) => partition) };
    if (ahead.length > 0) await insertRows(inside, 'ahead_partitions', { own }, 'fail');
  });
}
