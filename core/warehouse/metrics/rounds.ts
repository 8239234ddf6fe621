import { z } from 'zod';
import { DECISIONS } from '../../contracts/decisions';
import { type FederatedRoundResult } from '../../contracts/rounds';
import { LEFT_OUT_REASONS } from '../../contracts/updates';
import { type SerialConnection } from '../database/connection';
import { ROUNDS_WITH_METRICS } from '../limits';
import { pastRounds } from '../queries/rounds';
import { counter, gauge, type Put, type TableFigures } from './table-figures';

const FIGURES = {
  fedloop_rounds_total: counter('Rounds with a result, by decision.', 'decision'),
  fedloop_round_number: gauge('Number of the latest round that has a result.'),
  fedloop_round_info: gauge(
    'A round and what it decided; always 1.',
    'round',
    'version',
    'champion',
    'decision',
    'strategy',
  ),
  fedloop_round_accuracy_ratio: gauge(
    'Accuracy on the live windows that the round was judged on, of the candidate, the champion and persistence.',
    'round',
    'measured',
  ),
  fedloop_round_accuracy_change_ratio: gauge(
    'Candidate minus champion on the same device-windows, with the bounds of the 95 % interval.',
    'round',
    'estimate',
  ),
  fedloop_round_evaluations: gauge('Forecasts of the candidate that it was judged on.', 'round'),
  fedloop_round_local_accuracy_ratio: gauge(
    'Mean accuracy of the local models: as they report it of themselves, and real, on devices that did not train.',
    'round',
    'source',
  ),
  fedloop_round_devices: gauge(
    'Devices whose local models were trained, and those used.',
    'round',
    'outcome',
  ),
  fedloop_round_devices_left_out: gauge('Devices whose update took no part, by reason.', 'round', 'reason'),
  fedloop_round_aggregation_weight_ratio: gauge(
    'Weight of the local models that took part, as a multiple of an equal share; percentile 0 to 100 over the models.',
    'round',
    'percentile',
  ),
};

const PERCENTILES = [0, 10, 50, 90, 100] as const;

const countRow = z.object({ decision: z.string(), rounds: z.int() });
const spreadRow = z.object({ round: z.int(), values: z.array(z.number()) });

/** Only of the attempt that made a version, and of it the models that took part. */
const WEIGHT_SPREAD = `
  SELECT round, list_transform(
           quantile_cont(weight, [${PERCENTILES.map((percent) => percent / 100).join(', ')}]),
           lambda value: value / avg_weight) AS values
  FROM (SELECT round, weight, avg(weight) OVER (PARTITION BY round) AS avg_weight FROM round_local_models
        WHERE round >= $from AND left_out IS NULL AND weight > 0)
  GROUP BY round, avg_weight`;

/** Results of rounds: the latest of them one by one, all of them as counts. */
export function roundFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(FIGURES, async (put) => {
    const counts = await connection.rows(
      countRow,
      'SELECT decision, count(*) AS rounds FROM federated_rounds GROUP BY decision',
    );
    for (const decision of DECISIONS) {
      const rounds = counts.find((known) => known.decision === decision)?.rounds ?? 0;
      put('fedloop_rounds_total', rounds, decision);
    }
    const latest = await pastRounds(connection, ROUNDS_WITH_METRICS);
    put('fedloop_round_number', latest.at(-1)?.round);
    for (const result of latest) putRound(put, result);
    const spread = await connection.rows(spreadRow, WEIGHT_SPREAD, { from: latest[0]?.round ?? 0 });
    for (const { round, values } of spread) {
      PERCENTILES.forEach((percentile, index) => {
        put('fedloop_round_aggregation_weight_ratio', values[index], String(round), String(percentile));
      });
    }
  });
}

function putRound(put: Put<keyof typeof FIGURES>, result: FederatedRoundResult): void {
  const { version, champion, decision, strategy, candidate, updates } = result;
  const round = String(result.round);
  put('fedloop_round_info', 1, round, version, champion, decision, strategy);
  put('fedloop_round_accuracy_ratio', candidate.accuracy, round, 'candidate');
  put('fedloop_round_accuracy_ratio', result.previousChampion.accuracy, round, 'champion');
  put('fedloop_round_accuracy_ratio', candidate.persistenceAccuracy, round, 'persistence');
  for (const estimate of ['mean', 'low', 'high'] as const)
    put('fedloop_round_accuracy_change_ratio', result.pairedChange[estimate], round, estimate);
  put('fedloop_round_evaluations', candidate.evaluations, round);
  put('fedloop_round_local_accuracy_ratio', result.selfReportedAccuracy, round, 'self-reported');
  put('fedloop_round_local_accuracy_ratio', result.localRealAccuracy, round, 'real');
  put('fedloop_round_devices', updates.trained, round, 'trained');
  put('fedloop_round_devices', updates.used, round, 'used');
  for (const reason of LEFT_OUT_REASONS)
    put('fedloop_round_devices_left_out', updates.leftOut[reason] ?? 0, round, reason);
}
