import { z } from 'zod';
import { DECISIONS, type FederatedRoundResult } from '../../contracts/rounds';
import { LEFT_OUT_REASONS } from '../../contracts/updates';
import { type SerialConnection } from '../database/connection';
import { ROUNDS_WITH_METRICS } from '../limits';
import { pastRounds } from '../queries/rounds';
import { type TableFigures } from './table-figures';

/** What rounds made and decided: the latest of them one by one, all of them as counts. */
export function roundFigures(figures: TableFigures, connection: SerialConnection): void {
  const rounds = figures.counter('fedloop_rounds_total', 'Rounds with a result, by decision.', ['decision']);
  const number = figures.gauge('fedloop_round_number', 'Number of the latest round that has a result.');
  const writeRound = eachRound(figures);
  const weights = figures.gauge(
    'fedloop_round_aggregation_weight_ratio',
    'Weight of the local models that took part, as a multiple of an equal share; percentile 0 to 100 over the models.',
    ['round', 'percentile'],
  );
  figures.read(async () => {
    const counts = await connection.rows(
      countRow,
      'SELECT decision, count(*) AS rounds FROM federated_rounds GROUP BY decision',
    );
    const latest = await pastRounds(connection, ROUNDS_WITH_METRICS);
    const spread = await connection.rows(spreadRow, WEIGHT_SPREAD, {
      from: latest[0]?.round ?? 0,
    });
    return () => {
      for (const decision of DECISIONS)
        rounds.set({ decision }, counts.find((known) => known.decision === decision)?.rounds ?? 0);
      const last = latest.at(-1);
      if (last !== undefined) number.set({}, last.round);
      for (const result of latest) writeRound(result);
      for (const { round, values } of spread) {
        values.forEach((value, index) => {
          weights.set({ round: String(round), percentile: String(PERCENTILES[index]) }, value);
        });
      }
    };
  });
}

function eachRound(figures: TableFigures): (result: FederatedRoundResult) => void {
  const info = figures.gauge('fedloop_round_info', 'A round and what it decided; always 1.', [
    'round',
    'version',
    'champion',
    'decision',
    'strategy',
  ]);
  const accuracy = figures.gauge(
    'fedloop_round_accuracy_ratio',
    'Accuracy on the live windows that the round was judged on, of the candidate, the champion and persistence.',
    ['round', 'measured'],
  );
  const change = figures.gauge(
    'fedloop_round_accuracy_change_ratio',
    'Candidate minus champion on the same device-windows, with the bounds of the 95 % interval.',
    ['round', 'estimate'],
  );
  const evaluations = figures.gauge(
    'fedloop_round_evaluations',
    'Forecasts of the candidate that it was judged on.',
    ['round'],
  );
  const local = figures.gauge(
    'fedloop_round_local_accuracy_ratio',
    'Mean accuracy of the local models: as they report it of themselves, and real, on devices that did not train.',
    ['round', 'source'],
  );
  const devices = figures.gauge(
    'fedloop_round_devices',
    'Devices whose local models were trained, and those used.',
    ['round', 'outcome'],
  );
  const leftOut = figures.gauge(
    'fedloop_round_devices_left_out',
    'Devices whose update took no part, by reason.',
    ['round', 'reason'],
  );
  return (result) => {
    const round = String(result.round);
    info.set(
      {
        round,
        version: result.version,
        champion: result.champion,
        decision: result.decision,
        strategy: result.strategy,
      },
      1,
    );
    accuracy.set({ round, measured: 'candidate' }, result.candidate.accuracy);
    accuracy.set({ round, measured: 'champion' }, result.previousChampion.accuracy);
    accuracy.set({ round, measured: 'persistence' }, result.candidate.persistenceAccuracy);
    for (const estimate of ['mean', 'low', 'high'] as const)
      change.set({ round, estimate }, result.pairedChange[estimate]);
    evaluations.set({ round }, result.candidate.evaluations);
    if (result.selfReportedAccuracy !== null)
      local.set({ round, source: 'self-reported' }, result.selfReportedAccuracy);
    if (result.localRealAccuracy !== null) local.set({ round, source: 'real' }, result.localRealAccuracy);
    devices.set({ round, outcome: 'trained' }, result.updates.trained);
    devices.set({ round, outcome: 'used' }, result.updates.used);
    for (const reason of LEFT_OUT_REASONS)
      leftOut.set({ round, reason }, result.updates.leftOut[reason] ?? 0);
  };
}

const countRow = z.object({ decision: z.string(), rounds: z.int() });

const PERCENTILES = [0, 10, 50, 90, 100] as const;
const spreadRow = z.object({ round: z.int(), values: z.array(z.number()) });

/** Only the try that made a version, and of it the models that took part. */
const WEIGHT_SPREAD = `
  SELECT round, list_transform(
           quantile_cont(weight, [${PERCENTILES.map((percent) => percent / 100).join(', ')}]),
           lambda value: value / avg_weight) AS values
  FROM (SELECT round, weight, avg(weight) OVER (PARTITION BY round) AS avg_weight FROM local_models
        WHERE round >= $from AND model_version IS NOT NULL AND left_out IS NULL AND weight > 0)
  GROUP BY round, avg_weight`;
