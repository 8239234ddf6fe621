import { queryConnection } from '../../../cli/query/query-file';
import { collectEvidence } from '../../../cli/results/collect';
import { queryLinear } from '../../../cli/results/linear';
import { queryPairs } from '../../../cli/results/queries';
import { changeOf } from '../../../cli/results/scores';
import { resultsOf } from '../../../cli/results/summary';
import { versionIdSchema } from '../../../core/contracts/ids';
import { microsSchema } from '../../../core/contracts/time';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';

/** What the tables say of linear models beside networks, to whoever asks. */
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  await connection.run(
    `INSERT INTO model_versions (model_version, round, role, network) VALUES
       ('v1', 1, 'steady', NULL), ('v1-linear', 1, 'linear', 'steady'),
       ('v2', 2, 'linear', 'responsive'), ('v2-steady', 2, 'steady', NULL), ('v2-responsive', 2, 'responsive', NULL)`,
  );
});
afterEach(() => warehouse.close());

/** Forecasts of devices 0 to `devices` in windows `from` to `until`; of each device's, those are right in which (device + window) % `every` is not 0. */
async function forecast(
  version: string,
  { devices = 4, from, until, every }: { devices?: number; from: number; until: number; every: number },
): Promise<void> {
  await connection.run(
    `INSERT INTO evaluation_rows SELECT '${version}', 'd' || device, start, start + INTERVAL 30 SECOND, 20, 20, 0, 0,
       (device + number) % ${every} <> 0, 0.8, 0, false, false, 'steady', start, 0, 1, NULL, NULL, NULL, NULL
     FROM (SELECT device, number, TIMESTAMP '2026-01-01' + INTERVAL (30 * number) SECOND AS start
           FROM range(0, ${devices}) AS devices(device), range(${from}, ${until}) AS windows(number))`,
  );
}

const query = () => queryConnection(connection);

describe('linear models in the tables', () => {
  it('are nothing where none was measured beside a network', async () => {
    await forecast('v1-linear', { from: 0, until: 4, every: 2 });
    expect(await queryLinear(query(), 1, null)).toBeNull();
  });

  it('stand beside the network that was elected, on the device-windows that both forecast', async () => {
    await forecast('v1-linear', { from: 0, until: 8, every: 2 });
    await forecast('v1', { from: 4, until: 12, every: 4, devices: 2 });
    await forecast('v2', { from: 12, until: 16, every: 4 });
    await forecast('v2-responsive', { from: 12, until: 16, every: 2 });
    await forecast('v2-steady', { from: 12, until: 16, every: 1 });
    expect(await queryLinear(query(), 1, null)).toMatchObject({
      rounds: 2,
      evaluations: 2 * 4 + 4 * 4,
      accuracy: (4 + 12) / 24,
      networkAccuracy: (6 + 8) / 24,
    });
    expect(await queryLinear(query(), 2, null)).toMatchObject({ rounds: 1, evaluations: 16 });
  });

  it('have the interval of their device-windows, though only sums by cluster and by window are asked for', async () => {
    await forecast('v1-linear', { from: 0, until: 8, every: 3 });
    await forecast('v1', { from: 0, until: 8, every: 4, devices: 3 });
    const pairs = await queryPairs(
      query(),
      { candidate: versionIdSchema.parse('v1-linear'), champion: versionIdSchema.parse('v1') },
      { cutoff: null },
    );
    const { mean, low, high } = changeOf(pairs)!;
    const linear = (await queryLinear(query(), 1, null))!;
    expect(low).toBeGreaterThan(-1);
    expect(linear.difference).toBeCloseTo(mean, 12);
    expect(linear.differenceCi95[0]).toBeCloseTo(low, 12);
    expect(linear.differenceCi95[1]).toBeCloseTo(high, 12);
  });

  it('count up to the latest complete window', async () => {
    await forecast('v1-linear', { from: 0, until: 8, every: 2 });
    await forecast('v1', { from: 0, until: 8, every: 4 });
    const cutoff = microsSchema.parse(Date.UTC(2026, 0, 1, 0, 1) * 1_000);
    expect(await queryLinear(query(), 1, cutoff)).toMatchObject({ evaluations: 4 * 3 });
  });

  it('are the same in the results of a run, where healthy devices are told apart', async () => {
    await forecast('v1-linear', { from: 0, until: 8, every: 2 });
    await forecast('v1', { from: 0, until: 8, every: 4 });
    const { linear } = resultsOf(await collectEvidence(query(), { cutoff: null, faulty: ['d0'] }));
    expect(linear).toMatchObject({ ...(await queryLinear(query(), 0, null)) });
    expect(linear?.healthy).toMatchObject({
      evaluations: 3 * 8,
      accuracy: 12 / 24,
      networkAccuracy: 18 / 24,
    });
  });
});
