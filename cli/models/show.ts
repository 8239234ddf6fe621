import { type Query } from '../../core/warehouse/database/query';
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

export async function detailsOf(query: Query, name: VersionName): Promise<ModelDetails> {
  const version = await queryVersion(query, name);
  return {
    version,
    stages: await queryStages(query, version.version),
    leftOut: await queryLeftOut(query, version.version),
  };
}
