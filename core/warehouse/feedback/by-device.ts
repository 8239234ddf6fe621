import { type DuckDBValue } from '@duckdb/node-api';
import { z } from 'zod';
import { type DeviceFeedback } from '../../contracts/feedback';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { type SerialConnection } from '../database/connection';
import { type DeviceScore } from '../queries/feedback-figures';
import { DEVICES_PER_FEEDBACK, WORST_DEVICES } from '../limits';
import { boundsOf, IN_RANGE, type WindowRange } from '../queries/windows';

const deviceRow = z.object({
  model_version: versionIdSchema,
  device_id: z.string(),
  n: z.int(),
  correct: z.int(),
  mae: z.number(),
  bias: z.number(),
});

/** The devices that a version does worst on: by accuracy, then by mean absolute error, then by name. */
export type WorstDevices = ReadonlyMap<VersionId, readonly DeviceScore[]>;

/** The worst devices of every version that has rows in the range. */
export async function worstDevicesOfRange(
  connection: SerialConnection,
  range: WindowRange,
): Promise<WorstDevices> {
  const rows = await connection.rows(
    deviceRow,
    `SELECT model_version, device_id, count(*) AS n, count(*) FILTER (WHERE is_correct) AS correct,
            avg(abs(error)) AS mae, avg(error) AS bias
     FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY model_version, device_id
     QUALIFY row_number() OVER (PARTITION BY model_version ORDER BY correct / n, mae DESC, device_id) <= ${WORST_DEVICES}
     ORDER BY model_version, correct / n, mae DESC, device_id`,
    boundsOf(range),
  );
  const worst = new Map<VersionId, DeviceScore[]>();
  for (const { model_version, device_id, ...score } of rows) {
    const known = worst.get(model_version) ?? [];
    known.push({ deviceId: device_id, ...score });
    worst.set(model_version, known);
  }
  return worst;
}

/** The worst devices of one version, out of what is said of all of its devices: asking the tables again would be the longest of the questions. */
export function worstDevicesIn(messages: readonly DeviceFeedback[]): DeviceScore[] {
  const worst: DeviceScore[] = [];
  for (const message of messages) {
    message.device_id.forEach((deviceId, at) => {
      const [n, correct] = [message.n[at] ?? NaN, message.n_correct[at] ?? NaN];
      const score: DeviceScore = {
        deviceId,
        n,
        correct,
        mae: message.mae[at] ?? NaN,
        bias: message.bias[at] ?? NaN,
      };
      // Devices come by name, so that one as bad as another stands behind it.
      const place = worst.findIndex((known) => isWorse(score, known));
      if (place >= 0) worst.splice(place, 0, score);
      else if (worst.length < WORST_DEVICES) worst.push(score);
      if (worst.length > WORST_DEVICES) worst.pop();
    });
  }
  return worst;
}

function isWorse(one: DeviceScore, other: DeviceScore): boolean {
  const difference = one.correct / one.n - other.correct / other.n;
  return difference === 0 ? one.mae > other.mae : difference < 0;
}

/**
 * Accuracy of one version by device over a range, in messages of at most 1,000 devices, sorted by device. Read by column: a row object and
 * its check for each of a quarter of a million devices cost more than the question itself.
 */
export async function deviceFeedbackOfRange(
  connection: SerialConnection,
  input: WindowRange & { readonly round: number; readonly version: VersionId },
): Promise<DeviceFeedback[]> {
  const chunks = await connection.chunks(
    `SELECT device_id, count(*)::INTEGER, (count(*) FILTER (WHERE is_correct))::INTEGER, avg(abs(error)), avg(error)
     FROM evaluation_rows WHERE model_version = $version AND ${IN_RANGE} GROUP BY device_id ORDER BY device_id`,
    { ...boundsOf(input), version: input.version },
  );
  const columns = chunks.map((chunk) => chunk.getColumns());
  const column = (index: number): DuckDBValue[] => columns.flatMap((of) => of[index] ?? []);
  const numbers = (index: number): number[] => column(index).map(Number);
  const devices = column(0).map(String);
  const [n, correct, mae, bias] = [numbers(1), numbers(2), numbers(3), numbers(4)];
  const messages = Math.max(1, Math.ceil(devices.length / DEVICES_PER_FEEDBACK));
  return Array.from({ length: messages }, (_, message): DeviceFeedback => {
    const part = <Value>(values: readonly Value[]): Value[] =>
      values.slice(message * DEVICES_PER_FEEDBACK, (message + 1) * DEVICES_PER_FEEDBACK);
    return {
      type: 'device-feedback',
      round: input.round,
      model_version: input.version,
      chunk: message,
      last: message === messages - 1,
      device_id: part(devices),
      n: part(n),
      n_correct: part(correct),
      mae: part(mae),
      bias: part(bias),
    };
  });
}
