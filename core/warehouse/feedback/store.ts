import { VARCHAR } from '@duckdb/node-api';
import { type Feedback } from '../../contracts/feedback';
import { type SerialConnection } from '../database/connection';
import { column } from '../database/values';

/** Feedback messages as rows of `model_feedback`. */
const ROWS = `
  SELECT f->>'scope' AS scope, (f->>'round')::INTEGER AS round, f->>'model_version' AS model_version,
         make_timestamp((f->>'window_start')::BIGINT) AS window_start, make_timestamp((f->>'window_end')::BIGINT) AS window_end,
         (f->>'n')::BIGINT AS n, (f->>'n_correct')::BIGINT AS n_correct, (f->>'accuracy')::DOUBLE AS accuracy,
         (f->>'skill')::DOUBLE AS skill, (f->>'mae')::DOUBLE AS mae, (f->>'rmse')::DOUBLE AS rmse, (f->>'bias')::DOUBLE AS bias,
         (f->>'calibration')::DOUBLE AS calibration, (f->>'persistence_accuracy')::DOUBLE AS persistence_accuracy,
         f->'anomalies'->>'tendency' AS tendency, f AS feedback
  FROM (SELECT unnest($feedback)::JSON AS f)`;

/** Store published feedback; publishing it again replaces it. */
export async function storeFeedback(
  connection: SerialConnection,
  feedback: readonly Feedback[],
): Promise<void> {
  if (feedback.length === 0) return;
  const messages = { feedback: column(feedback, VARCHAR, (message) => JSON.stringify(message)) };
  await connection.transaction(async (inside) => {
    await inside.run(
      `DELETE FROM model_feedback AS old USING (${ROWS}) AS new
       WHERE old.scope = new.scope AND old.round IS NOT DISTINCT FROM new.round
         AND old.model_version = new.model_version AND old.window_start = new.window_start`,
      messages,
    );
    await inside.run(`INSERT INTO model_feedback BY NAME ${ROWS}`, messages);
  });
}
