import { blobValue, VARCHAR } from '@duckdb/node-api';
import { deploymentKey, type ModelMessage, type StageMessage } from '../../contracts/deployments';
import { type PrivacyBooking } from '../../contracts/privacy';
import { type StreamSettings } from '../../contracts/settings';
import { type Task } from '../../contracts/task';
import { microsOfText } from '../../contracts/timestamps';
import { acceptModel, assertFits, readDeployment } from '../../model/accept-deployment';
import { assertNotOlder, assertSameWeights, orderOf } from '../../model/deployment-order';
import { type Statements } from '../database/connection';
import { insertRow } from '../database/insert';
import { list, timestamp, timestampOrNull } from '../database/values';
import { type StoredDeployments } from './stored-deployments';
import { type Change, type SinkRecord } from './records';

/**
 * Versions, their files and every change of stage.
 * @param stored what is stored; the message is added to it.
 * @throws FedloopError `InvalidModel` for a message that stream workers would not take either.
 */
export function deploymentChange(
  { value, offset, ...record }: SinkRecord,
  task: Task,
  stored: StoredDeployments,
): Change {
  if (value === null) return undefined;
  const message = readDeployment({ ...record, value, offset });
  const key = deploymentKey(message);
  if (record.signature === 'valid') assertNotOlder(message, stored.orders.get(key));
  switch (message.type) {
    case 'model': {
      const { version, sha256 } = message;
      assertFits(acceptModel(message), task);
      assertSameWeights(message, stored.staged.has(version) ? stored.hashes.get(version) : undefined);
      stored.orders.set(key, orderOf(message));
      stored.hashes.set(version, sha256);
      return (inside) => storeModel(inside, message);
    }
    case 'stage':
      stored.orders.set(key, orderOf(message));
      stored.staged.add(message.version);
      return (inside) => storeStage(inside, message, offset);
    case 'privacy-booking':
      return (inside) => storeBooking(inside, message);
    // The service stores the settings that it starts with: they do not change while a deployment lives. A strategy's state is as
    // large as a model, and read from the log alone.
    case 'settings':
    case 'server-state':
      return undefined;
  }
}

/** One row: what every process of the deployment agrees on. */
export async function storeSettings(inside: Statements, settings: StreamSettings): Promise<void> {
  await inside.run('DELETE FROM stream_settings');
  const { task, limits } = settings;
  const row = {
    window_micros: task.windowMicros,
    watermark_micros: settings.watermarkMicros,
    future_micros: settings.futureMicros,
    tolerance: task.target.tolerance,
    idle_millis: settings.idleMillis,
    task: JSON.stringify(task),
    limits: JSON.stringify(limits),
  };
  await insertRow(inside, 'stream_settings', row, 'fail');
}

/** Take out what a log said that is another one by now: its offsets name other messages, and versions that it has lost serve no more. */
export async function forgetStages(inside: Statements): Promise<void> {
  await inside.run('DELETE FROM model_stages');
  await inside.run(
    "UPDATE model_versions SET stage = 'retired', stage_reason = 'model-deployments has lost it', stage_at = NULL",
  );
}

async function storeModel(inside: Statements, message: ModelMessage): Promise<void> {
  const { lineage, version: model_version, sha256 } = message;
  const row = {
    model_version,
    round: lineage.round,
    role: lineage.role,
    network: lineage.network,
    strategy: lineage.strategy,
    parents: list(lineage.parents, VARCHAR),
    seed: lineage.seed,
    devices: lineage.devices,
    data_from: timestampOrNull(lineage.data_from),
    data_until: timestampOrNull(lineage.data_until),
    feedback_used: JSON.stringify(lineage.feedback_used),
    sha256,
    created_at: timestamp(microsOfText(message.created_at)),
    devices_sha256: lineage.devices_sha256,
    training: lineage.training,
  };
  await insertRow(inside, 'model_versions', row, 'replace');
  const onnx = blobValue(Buffer.from(message.onnx_base64, 'base64'));
  await insertRow(inside, 'model_files', { model_version, sha256, onnx }, 'replace');
  await keepOneChampion(inside);
}

async function storeStage(inside: Statements, message: StageMessage, offset: number): Promise<void> {
  const { version: model_version, stage, reason } = message;
  const at = timestamp(microsOfText(message.at));
  const change = {
    log_offset: BigInt(offset),
    model_version,
    stage,
    round: message.round,
    not_before: timestampOrNull(message.not_before),
    reason,
    staged_at: at,
    changed_by: message.by,
  };
  await insertRow(inside, 'model_stages', change, 'ignore');
  if (stage === 'rolled-back') {
    await inside.run(
      'UPDATE federated_rounds SET rolled_back_at = $at, rollback_reason = $reason WHERE model_version = $model_version',
      { model_version, reason, at },
    );
  }
  // A stage may come before its model: a compacted log keeps the latest of each key, in the order of writing.
  const version = { model_version, stage, stage_reason: reason, stage_at: at };
  await insertRow(inside, 'model_versions', version, 'replace');
  await keepOneChampion(inside);
}

function storeBooking(inside: Statements, booking: PrivacyBooking): Promise<void> {
  const { draw, round, attempt, inverse_squares, clip_norm, next_clip, delta, epsilon } = booking;
  const row = {
    draw,
    round,
    attempt,
    inverse_squares,
    clip_norm,
    next_clip_norm: next_clip?.norm ?? null,
    delta,
    epsilon,
    booked_at: timestamp(microsOfText(booking.at)),
  };
  return insertRow(inside, 'privacy_bookings', row, 'ignore');
}

/** Of versions that were logged as champions, the last one with a model serves, and the others are beside it: as `Deployments.versions` has it. */
async function keepOneChampion(inside: Statements): Promise<void> {
  await inside.run(
    `WITH logged AS (SELECT model_version, arg_max(stage, log_offset) AS stage, max(log_offset) AS latest FROM model_stages GROUP BY ALL),
          champions AS (SELECT model_version, if(row_number() OVER (ORDER BY sha256 IS NULL, latest DESC) = 1, 'champion', 'shadow') AS stage
                        FROM logged JOIN model_versions USING (model_version)
                        WHERE logged.stage = 'champion')
     UPDATE model_versions SET stage = champions.stage
     FROM champions
     WHERE champions.model_version = model_versions.model_version AND champions.stage <> model_versions.stage`,
  );
}
