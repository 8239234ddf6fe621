import { type Feedback } from '../contracts/feedback';
import { type SerialConnection } from './connection';
import { timestamp } from './values';

/** Keep published feedback beside the rows it was counted from; publishing it again replaces it. */
export function storeFeedback(connection: SerialConnection, feedback: readonly Feedback[]): Promise<void> {
  return connection.transaction(async (inside) => {
    for (const said of feedback) {
      const key = {
        scope: said.scope,
        round: said.round,
        version: said.model_version,
        start: timestamp(said.window_start),
      };
      await inside.run(
        `DELETE FROM model_feedback WHERE scope = $scope AND round IS NOT DISTINCT FROM $round
         AND model_version = $version AND window_start = $start`,
        key,
      );
      await inside.run(
        `INSERT INTO model_feedback VALUES ($scope, $round, $version, $start, $end, $n, $correct, $accuracy, $skill, $mae,
           $rmse, $bias, $calibration, $persistence, $tendency, $feedback)`,
        {
          ...key,
          end: timestamp(said.window_end),
          n: BigInt(said.n),
          correct: BigInt(said.n_correct),
          accuracy: said.accuracy,
          skill: said.skill,
          mae: said.mae,
          rmse: said.rmse,
          bias: said.bias,
          calibration: said.calibration,
          persistence: said.persistence_accuracy,
          tendency: said.anomalies.tendency,
          feedback: JSON.stringify(said),
        },
      );
    }
  });
}
