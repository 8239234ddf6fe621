import { type Ask } from '../../core/warehouse/database/ask';
import {
  queryLeftOut,
  queryStages,
  queryVersion,
  type ModelVersion,
  type StageChange,
  type VersionName,
} from './repository';

/** Everything that the registry holds of a version, except its bytes. */
export interface ModelDetails {
  readonly version: ModelVersion;
  /** Oldest first. */
  readonly stages: readonly StageChange[];
  /** Updates that its round left out, by reason. */
  readonly leftOut: readonly { readonly reason: string; readonly updates: number }[];
}

export async function detailsOf(ask: Ask, name: VersionName): Promise<ModelDetails> {
  const version = await queryVersion(ask, name);
  return {
    version,
    stages: await queryStages(ask, version.version),
    leftOut: await queryLeftOut(ask, version.version),
  };
}
