import { z } from 'zod';
import { type SerialConnection } from '../database/connection';
import { ROUNDS_WITH_METRICS } from '../limits';
import { linearAccuracyOf, linearRowCounts, type LinearAccuracy } from '../queries/linear-models';
import { gauge, type TableFigures } from './table-figures';

const FIGURES = {
  fedloop_round_linear_accuracy_ratio: gauge(
    'Accuracy of the linear model of a round and of the network elected beside it, on the device-windows that both forecast.',
    'round',
    'measured',
  ),
};

const latestRow = z.object({ round: z.int().nullable() });

/** The linear models of the latest rounds beside the networks, as the results of a run compare them. */
export function linearFigures(figures: TableFigures, connection: SerialConnection): void {
  // Pairing the forecasts of thousands of devices takes a while: a round whose rows are as many as before is not paired again.
  let known: ReadonlyMap<number, { readonly rows: number; readonly accuracy: LinearAccuracy }> = new Map();
  figures.read(FIGURES, async (put) => {
    const [latest] = await connection.rows(latestRow, 'SELECT max(round) AS round FROM model_versions');
    const first = Math.max(0, (latest?.round ?? 0) - ROUNDS_WITH_METRICS + 1);
    const now = new Map<number, { readonly rows: number; readonly accuracy: LinearAccuracy }>();
    for (const [round, rows] of await linearRowCounts(connection, first)) {
      const before = known.get(round);
      now.set(
        round,
        before?.rows === rows ? before : { rows, accuracy: await linearAccuracyOf(connection, round) },
      );
    }
    known = now;
    for (const [round, { accuracy }] of now) {
      put('fedloop_round_linear_accuracy_ratio', accuracy.linear, String(round), 'linear');
      put('fedloop_round_linear_accuracy_ratio', accuracy.network, String(round), 'network');
    }
  });
}
