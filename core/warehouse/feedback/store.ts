import { VARCHAR } from '@duckdb/node-api';
import { type Feedback } from '../../contracts/feedback';
import { type SerialConnection } from '../database/connection';
import { list } from '../database/values';

/** Feedback as the columns of `model_feedback`, read from what was said. */
const SAID = `
  SELECT f->>'scope' AS scope, (f->>'round')::INTEGER AS round, f->>'model_version' AS model_version,
         make_timestamp((f->>'window_start')::BIGINT) AS window_start, make_timestamp((f->>'window_end')::BIGINT) AS window_end,
         (f->>'n')::BIGINT AS n, (f->>'n_correct')::BIGINT AS n_correct, (f->>'accuracy')::DOUBLE AS accuracy,
         (f->>'skill')::DOUBLE AS skill, (f->>'mae')::DOUBLE AS mae, (f->>'rmse')::DOUBLE AS rmse, (f->>'bias')::DOUBLE AS bias,
         (f->>'calibration')::DOUBLE AS calibration, (f->>'persistence_accuracy')::DOUBLE AS persistence_accuracy,
         f->'anomalies'->>'tendency' AS tendency, f AS feedback
  FROM (SELECT unnest($feedback)::JSON AS f)`;

/** Keep published feedback beside the rows it was counted from; publishing it again replaces it. */
export async function storeFeedback(
  connection: SerialConnection,
  feedback: readonly Feedback[],
): Promise<void> {
  if (feedback.length === 0) return;
  const said = {
    feedback: list(
      feedback.map((one) => JSON.stringify(one)),
      VARCHAR,
    ),
  };
  await connection.transaction(async (inside) => {
    await inside.run(
      `DELETE FROM model_feedback AS old USING (${SAID}) AS said
       WHERE old.scope = said.scope AND old.round IS NOT DISTINCT FROM said.round
         AND old.model_version = said.model_version AND old.window_start = said.window_start`,
      said,
    );
    await inside.run(`INSERT INTO model_feedback BY NAME ${SAID}`, said);
  });
}
