import { blobValue, VARCHAR } from '@duckdb/node-api';
import {
  deploymentMessageSchema,
  type DeploymentMessage,
  type ModelMessage,
  type StageMessage,
} from '../../contracts/deployments';
import { type StreamSettings } from '../../contracts/settings';
import { microsOfText } from '../../contracts/timestamps';
import { type Statements } from '../database/connection';
import { parseJson, type SinkRecord } from './records';
import { list, timestamp, timestampOrNull } from '../database/values';

export function parseDeployment(record: SinkRecord): DeploymentMessage | undefined {
  const parsed = deploymentMessageSchema.safeParse(parseJson(record.value));
  return parsed.success ? parsed.data : undefined;
}

/** Keep what `model-deployments` says: versions, their files, every change of stage and the stream's settings. */
export async function storeDeployment(
  inside: Statements,
  message: DeploymentMessage,
  offset: number,
): Promise<void> {
  switch (message.type) {
    case 'settings':
      return storeSettings(inside, message.settings);
    case 'model':
      return storeModel(inside, message);
    case 'stage':
      return storeStage(inside, message, offset);
    case 'server-state':
      // What a strategy remembers is as large as a model and read from the log alone.
      return;
  }
}

/** One row: what every process of the deployment agrees on now. */
export async function storeSettings(inside: Statements, settings: StreamSettings): Promise<void> {
  await inside.run('DELETE FROM stream_settings');
  await inside.run('INSERT INTO stream_settings VALUES ($window, $watermark, $future, $tolerance, $idle)', {
    window: settings.windowMicros,
    watermark: settings.watermarkMicros,
    future: settings.futureMicros,
    tolerance: settings.toleranceCelsius,
    idle: settings.idleMillis,
  });
}

async function storeModel(inside: Statements, message: ModelMessage): Promise<void> {
  const { lineage } = message;
  await inside.run(
    `INSERT INTO model_versions (model_version, round, role, strategy, parents, seed, devices, data_from, data_until,
                                 feedback_used, sha256, created_at, devices_sha256)
     VALUES ($version, $round, $role, $strategy, $parents, $seed, $devices, $from, $until, $feedback, $sha256, $created, $devicesSha256)
     ON CONFLICT DO UPDATE SET round = excluded.round, role = excluded.role, strategy = excluded.strategy,
       parents = excluded.parents, seed = excluded.seed, devices = excluded.devices, data_from = excluded.data_from,
       data_until = excluded.data_until, feedback_used = excluded.feedback_used, sha256 = excluded.sha256,
       created_at = excluded.created_at, devices_sha256 = excluded.devices_sha256`,
    {
      version: message.version,
      round: lineage.round,
      role: lineage.role,
      strategy: lineage.strategy,
      parents: list(lineage.parents, VARCHAR),
      seed: lineage.seed,
      devices: lineage.devices,
      from: timestampOrNull(lineage.data_from),
      until: timestampOrNull(lineage.data_until),
      feedback: JSON.stringify(lineage.feedback_used),
      sha256: message.sha256,
      created: timestamp(microsOfText(message.created_at)),
      devicesSha256: lineage.devices_sha256,
    },
  );
  await inside.run('INSERT OR REPLACE INTO model_files VALUES ($version, $sha256, $onnx)', {
    version: message.version,
    sha256: message.sha256,
    onnx: blobValue(Buffer.from(message.onnx_base64, 'base64')),
  });
}

async function storeStage(inside: Statements, message: StageMessage, offset: number): Promise<void> {
  const at = timestamp(microsOfText(message.at));
  await inside.run(
    `INSERT OR IGNORE INTO model_stages (log_offset, model_version, stage, round, not_before, reason, staged_at, changed_by)
     VALUES ($offset, $version, $stage, $round, $notBefore, $reason, $at, $by)`,
    {
      offset: BigInt(offset),
      version: message.version,
      stage: message.stage,
      round: message.round,
      notBefore: timestampOrNull(message.not_before),
      reason: message.reason,
      at,
      by: message.by,
    },
  );
  if (message.stage === 'rolled-back') {
    await inside.run(
      'UPDATE federated_rounds SET rolled_back_at = $at, rollback_reason = $reason WHERE model_version = $version',
      { version: message.version, reason: message.reason, at },
    );
  }
  // A stage may stand in the log before its model: compaction keeps the latest of each key, in the order of writing.
  await inside.run(
    `INSERT INTO model_versions (model_version, stage, stage_reason, stage_at) VALUES ($version, $stage, $reason, $at)
     ON CONFLICT DO UPDATE SET stage = excluded.stage, stage_reason = excluded.stage_reason, stage_at = excluded.stage_at`,
    { version: message.version, stage: message.stage, reason: message.reason, at },
  );
}
