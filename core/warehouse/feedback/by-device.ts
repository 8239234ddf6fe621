import { type DuckDBValue } from '@duckdb/node-api';
import { feedbackSchema, type DeviceFeedback, type Feedback } from '../../contracts/feedback';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { type SerialConnection } from '../database/connection';
import { DEVICES_PER_FEEDBACK, WORST_DEVICES } from '../limits';
import { boundsOf, IN_RANGE, type WindowRange } from '../queries/windows';

const deviceRow = feedbackSchema.shape.worst_devices.element.extend({ model_version: versionIdSchema });

type DeviceScore = Feedback['worst_devices'][number];
/** The devices that each version forecasts worst: by accuracy, then by mean absolute error, then by name. */
export type WorstDevices = ReadonlyMap<VersionId, DeviceScore[]>;

/** The worst devices of every version that has rows in the range. */
export async function worstDevicesOfRange(
  connection: SerialConnection,
  range: WindowRange,
): Promise<WorstDevices> {
  const rows = await connection.rows(
    deviceRow,
    `SELECT model_version, device_id, count(*) AS n, count(*) FILTER (WHERE is_correct) / count(*) AS accuracy,
            avg(abs(error)) AS mae, avg(error) AS bias
     FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY model_version, device_id
     QUALIFY row_number() OVER (PARTITION BY model_version ORDER BY accuracy, mae DESC, device_id) <= ${WORST_DEVICES}
     ORDER BY model_version, accuracy, mae DESC, device_id`,
    boundsOf(range),
  );
  const worst = new Map<VersionId, DeviceScore[]>();
  for (const { model_version, ...score } of rows) {
    const known = worst.get(model_version) ?? [];
    known.push(score);
    worst.set(model_version, known);
  }
  return worst;
}

/** The worst devices of one version, from the figures of all its devices: a query for them would be the slowest of a round. */
export function worstDevicesIn(messages: readonly DeviceFeedback[]): DeviceScore[] {
  const worst: DeviceScore[] = [];
  for (const message of messages) {
    message.device_id.forEach((device_id, at) => {
      const n = message.n[at] ?? NaN;
      const accuracy = (message.n_correct[at] ?? NaN) / n;
      const score = { device_id, n, accuracy, mae: message.mae[at] ?? NaN, bias: message.bias[at] ?? NaN };
      // Devices are sorted by name, so that one as bad as another stands behind it.
      const place = worst.findIndex((known) => isWorse(score, known));
      if (place >= 0) worst.splice(place, 0, score);
      else if (worst.length < WORST_DEVICES) worst.push(score);
      if (worst.length > WORST_DEVICES) worst.pop();
    });
  }
  return worst;
}

function isWorse(one: DeviceScore, other: DeviceScore): boolean {
  return one.accuracy === other.accuracy ? one.mae > other.mae : one.accuracy < other.accuracy;
}

/**
 * Accuracy of one version by device over a range, in messages of at most 1,000 devices, sorted by device. It is read by column:
 * to make and check a row object for each of a quarter of a million devices costs more than the query itself.
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
