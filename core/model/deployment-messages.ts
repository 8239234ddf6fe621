import { type Lineage, type ModelMessage, type Stage, type StageMessage } from '../contracts/deployments';
import { type VersionId } from '../contracts/ids';
import { FEDLOOP } from '../contracts/live-checks';
import { encodeModel, sha256Of } from './model-file';
import { type GlobalModel } from './types';

export interface StageChange {
  readonly version: VersionId;
  readonly stage: Stage;
  readonly round: number;
  readonly reason: string;
  /** A person by name; left out: Fedloop itself. */
  readonly by?: string;
}

/** @param at ISO 8601 */
export function modelMessage(model: GlobalModel, lineage: Lineage, at: string): ModelMessage {
  const bytes = encodeModel(model);
  return {
    type: 'model',
    version: model.metadata.version,
    onnx_base64: Buffer.from(bytes).toString('base64'),
    sha256: sha256Of(bytes),
    lineage,
    created_at: at,
  };
}

/** @param at ISO 8601 */
export function stageMessage(
  { version, stage, round, reason, by = FEDLOOP }: StageChange,
  at: string,
): StageMessage {
  return { type: 'stage', version, stage, round, not_before: null, reason, by, at };
}
