import * as fc from 'fast-check';
import { addFinishedDays } from '../../../core/warehouse/batch/stream-days';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { expireRows } from '../../../core/warehouse/retention';
import { Sink } from '../../../core/warehouse/sink/sink';
import { agreeOnSettings, analysisBlock, batch, query, record, T0, WINDOW } from './helpers';

/** Readings of any day come at any time; days are counted and their rows let go at any time, by bounds that may go back. */
/** Fifteen warehouses are opened, on a busy machine. */
jest.setTimeout(120_000);

const DAY = 86_400_000_000;
const DAYS = 4;
const READINGS_OF_A_WINDOW = 12;
const device = fc.constantFrom('a', 'b');
const dayNumber = fc.integer({ min: 0, max: DAYS - 1 });
const bound = fc.integer({ min: 0, max: DAYS });
const happening = fc.oneof(
  fc.record({ what: fc.constant('readings' as const), day: dayNumber, device }),
  fc.record({ what: fc.constant('batch' as const), completeBefore: bound }),
  fc.record({ what: fc.constant('retention' as const), before: bound, kept: bound }),
);

it('counts each reading of each day exactly once, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 4, maxLength: 14 }), async (happenings) => {
      const warehouse = await openWarehouse(':memory:');
      try {
        const connection = await warehouse.connect();
        await agreeOnSettings(connection);
        const sink = await Sink.open(connection);
        const sent = new Map<string, number>();
        let offset = 0;
        for (const one of happenings) {
          if (one.what === 'readings') {
            const window = (one.day * DAY) / WINDOW + offset;
            // A partition's windows come in order.
            const partition = one.day;
            await sink.store([
              batch('analysis', partition, [
                record(offset, analysisBlock({ window, partition }, [one.device])),
              ]),
            ]);
            offset += 1;
            const key = `${one.device} day ${one.day}`;
            sent.set(key, (sent.get(key) ?? 0) + READINGS_OF_A_WINDOW);
          } else if (one.what === 'batch') await addFinishedDays(connection, T0 + one.completeBefore * DAY);
          else await expireRows(connection, T0 + one.before * DAY, T0 + (one.before + one.kept) * DAY);
        }
        await addFinishedDays(connection, T0 + DAYS * DAY);
        const counted = await query(
          connection,
          `SELECT device_id || ' day ' || datediff('day', DATE '2020-01-01', day) AS key, sum(count)::INTEGER AS n
           FROM batch_analysis_results GROUP BY ALL ORDER BY ALL`,
        );
        expect(counted).toEqual([...sent].sort().map(([key, n]) => ({ key, n })));
      } finally {
        await warehouse.close();
      }
    }),
    { numRuns: 15 },
  );
});
