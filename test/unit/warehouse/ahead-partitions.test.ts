import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { AheadPartitions } from '../../../core/warehouse/sink/ahead-partitions';

const PATIENCE = 100;
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
});
afterEach(() => warehouse.close());

/** Which partitions are ahead when partitions have come to these times, one look after the other. */
async function aheadAfter(...looks: readonly (readonly number[])[]): Promise<readonly number[]> {
  const partitions = await AheadPartitions.open(connection, PATIENCE);
  let ahead: ReadonlySet<number> = new Set();
  for (const times of looks) ahead = await partitions.among(new Map(times.entries()));
  return [...ahead];
}

describe('partitions that are ahead', () => {
  it('are those whose times are far ahead while at least half of all deliver', async () => {
    expect(await aheadAfter([0, 0, 0, 5_000], [10, 0, 0, 5_000])).toEqual([]);
    expect(await aheadAfter([0, 0, 0, 5_000], [10, 10, 0, 5_000])).toEqual([3]);
  });

  it('are not those that go on while the others pause', async () => {
    expect(await aheadAfter([0, 0, 0, 0], [10, 10, 10, 10], [10, 10, 10, 5_000])).toEqual([]);
  });

  it('are remembered by a process that starts while the others pause', async () => {
    await aheadAfter([0, 0, 0, 5_000], [10, 10, 10, 5_010]);
    expect(await aheadAfter([10, 10, 10, 5_020], [10, 10, 10, 5_030])).toEqual([3]);
  });

  it('are so no more when the others have come as far', async () => {
    await aheadAfter([0, 0, 0, 5_000], [10, 10, 10, 5_010]);
    expect(await aheadAfter([10, 10, 10, 5_010], [5_000, 5_000, 10, 5_010])).toEqual([]);
    expect(await aheadAfter([5_000, 5_000, 10, 5_010])).toEqual([]);
  });

  it('are not known among two, of which either may be right', async () => {
    expect(await aheadAfter([0, 5_000], [10, 5_010])).toEqual([]);
  });
});
