import { type Ask } from '../../core/warehouse/database/ask';
import {
  askLeftOut,
  askStages,
  askVersion,
  type ModelVersion,
  type StageChange,
  type VersionName,
} from './questions';

/** Everything that the registry knows of a version, but for its bytes. */
export interface ModelDetails {
  readonly version: ModelVersion;
  /** Oldest first. */
  readonly stages: readonly StageChange[];
  /** Updates of its round that have no part in it, by reason. */
  readonly leftOut: readonly { readonly reason: string; readonly updates: number }[];
}

export async function detailsOf(ask: Ask, name: VersionName): Promise<ModelDetails> {
  const version = await askVersion(ask, name);
  return {
    version,
    stages: await askStages(ask, version.version),
    leftOut: await askLeftOut(ask, version.version),
  };
}
