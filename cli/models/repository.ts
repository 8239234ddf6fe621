import { z } from 'zod';
import { jsonText } from '../../core/contracts/validation';
import { candidateRoleSchema, feedbackUsedSchema, stageSchema } from '../../core/contracts/deployments';
import { FedloopError } from '../../core/contracts/errors';
import { versionIdSchema, type VersionId } from '../../core/contracts/ids';
import { decodeModel, sha256Of } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';
import { type Query } from '../../core/warehouse/database/query';

/** Versions of models in the tables. Version ids match a pattern without quotes, so they may stand in the SQL. */

const versionRow = z.object({
  version: versionIdSchema,
  stage: stageSchema.nullable(),
  stageReason: z.string().nullable(),
  stageAt: z.string().nullable(),
  round: z.number().nullable(),
  role: candidateRoleSchema.nullable(),
  strategy: z.string().nullable(),
  parents: z.array(versionIdSchema).nullable(),
  seed: z.number().nullable(),
  devices: z.number().nullable(),
  devicesSha256: z.string().nullable(),
  dataFrom: z.string().nullable(),
  dataUntil: z.string().nullable(),
  feedbackUsed: jsonText(feedbackUsedSchema).nullable(),
  sha256: z.string().nullable(),
  createdAt: z.string().nullable(),
  windows: z.number().nullable(),
  evaluations: z.number().nullable(),
  accuracy: z.number().nullable(),
  servedAccuracy: z.number().nullable(),
  persistenceAccuracy: z.number().nullable(),
});
export type ModelVersion = z.infer<typeof versionRow>;

const VERSIONS = `
  SELECT versions.model_version AS version, versions.stage, stage_reason AS "stageReason", stage_at AS "stageAt", versions.round,
         versions.role, versions.strategy, parents, seed, devices, devices_sha256 AS "devicesSha256", data_from AS "dataFrom",
         data_until AS "dataUntil", feedback_used::VARCHAR AS "feedbackUsed", sha256, created_at AS "createdAt",
         windows::DOUBLE AS windows, evaluations::DOUBLE AS evaluations, accuracy,
         served_accuracy AS "servedAccuracy", persistence_accuracy AS "persistenceAccuracy"
  FROM model_versions AS versions LEFT JOIN model_scoreboard USING (model_version)`;

/** The latest `limit` versions, oldest first. */
export async function queryVersions(query: Query, limit: number): Promise<readonly ModelVersion[]> {
  const rows = await query(
    versionRow,
    `${VERSIONS} ORDER BY versions.round DESC NULLS LAST, versions.model_version DESC LIMIT ${limit}`,
  );
  return rows.toReversed();
}

/** `champion`, or a version by its name. */
export type VersionName = VersionId | 'champion';

/** @throws FedloopError `NotFound` for a version that was never deployed. */
export async function queryVersion(query: Query, name: VersionName): Promise<ModelVersion> {
  const which = name === 'champion' ? "versions.stage = 'champion'" : `versions.model_version = '${name}'`;
  const [row] = await query(versionRow, `${VERSIONS} WHERE ${which} ORDER BY stage_at DESC LIMIT 1`);
  if (row !== undefined) return row;
  throw new FedloopError(
    'NotFound',
    name === 'champion' ? 'there is no champion yet' : `there is no version ${name}`,
    {
      hint: '`fedloop models list` names them.',
    },
  );
}

const stageRow = z.object({
  at: z.string(),
  stage: stageSchema,
  round: z.number(),
  by: z.string(),
  reason: z.string(),
});
export type StageChange = z.infer<typeof stageRow>;

/** Every change of a version's stage, oldest first. */
export function queryStages(query: Query, version: VersionId): Promise<readonly StageChange[]> {
  return query(
    stageRow,
    `SELECT staged_at AS at, stage, round, changed_by AS by, reason FROM model_stages
     WHERE model_version = '${version}' ORDER BY log_offset`,
  );
}

const leftOutRow = z.object({ reason: z.string(), updates: z.number() });

/** Updates that the version's round left out, by reason. */
export function queryLeftOut(
  query: Query,
  version: VersionId,
): Promise<readonly z.infer<typeof leftOutRow>[]> {
  return query(
    leftOutRow,
    `WITH made AS (SELECT round, coalesce(training, (SELECT any_value(attempt) FROM local_models WHERE model_version = '${version}')) AS attempt
                   FROM model_versions WHERE model_version = '${version}'),
          refused AS (SELECT reason, sum(copies) AS updates FROM left_out_updates SEMI JOIN made USING (round, attempt) GROUP BY reason),
          passed_over AS (SELECT left_out AS reason, count(*) AS updates FROM local_models SEMI JOIN made USING (round, attempt)
                          WHERE left_out IS NOT NULL AND left_out NOT IN (SELECT reason FROM refused) GROUP BY left_out)
     SELECT reason, updates::DOUBLE AS updates FROM (FROM refused UNION ALL FROM passed_over) ORDER BY updates DESC, reason`,
  );
}

const fileRow = z.object({ sha256: z.string(), onnx: z.base64() });

/** The ONNX bytes of a version, checked against the hash of its deployment. */
export interface ModelFile {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly model: GlobalModel;
}

/** @throws FedloopError `NotFound`, `InvalidModel` when the bytes are not those that were deployed. */
export async function queryModelFile(query: Query, version: VersionId): Promise<ModelFile> {
  const [row] = await query(
    fileRow,
    `SELECT sha256, base64(onnx) AS onnx FROM model_files WHERE model_version = '${version}'`,
  );
  if (row === undefined) throw new FedloopError('NotFound', `the tables have no model file of ${version}`);
  const bytes = Buffer.from(row.onnx, 'base64');
  if (sha256Of(bytes) !== row.sha256)
    throw new FedloopError('InvalidModel', `the file of ${version} is not the one that was deployed`);
  return { bytes, sha256: row.sha256, model: decodeModel(bytes) };
}
