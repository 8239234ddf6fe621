import { type VersionId } from '../../core/contracts/ids';
import { type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { type Query } from '../../core/warehouse/database/query';
import { queryAnomalies } from './anomalies';
import { queryContributions } from './contributions';
import { type Cutoff } from './cutoff';
import {
  queryLinearSums,
  queryPairs,
  queryPersistence,
  queryRounds,
  queryScores,
  type Counted,
} from './queries';
import { type Evidence, type WithFaulty } from './summary';
import { type ScoreCluster } from './scores';

/** Which rows count. */
interface Selection {
  readonly cutoff: Cutoff;
  /** Ids of the devices that have a fault. */
  readonly faulty: readonly string[];
  /** Number of latest rounds, instead of all. */
  readonly last?: number;
}

/** Query the scores of all versions. */
export async function collectEvidence(query: Query, { cutoff, faulty, last }: Selection): Promise<Evidence> {
  const rounds = await queryRounds(query, last);
  const scores = new Map<VersionId, WithFaulty<ScoreCluster>>();
  const pairs = new Map<VersionId, WithFaulty<PairedCluster>>();
  const of = async <Cluster>(
    scored: (counted: Counted) => Promise<readonly Cluster[]>,
  ): Promise<WithFaulty<Cluster>> => ({
    all: await scored({ cutoff }),
    faulty: await scored({ cutoff, devices: faulty }),
  });
  for (const version of new Set(rounds.flatMap(({ champion, model_version }) => [champion, model_version])))
    scores.set(version, await of((counted) => queryScores(query, version, counted)));
  for (const { model_version: candidate, champion } of rounds)
    pairs.set(candidate, await of((counted) => queryPairs(query, { candidate, champion }, counted)));
  const first = rounds[0]?.round ?? 0;
  const linear = {
    all: await queryLinearSums(query, first, { cutoff }),
    faulty: await queryLinearSums(query, first, { cutoff, devices: faulty }),
  };
  const persistence = await of((counted) => queryPersistence(query, counted));
  const contribution = await queryContributions(query, first);
  const anomalies = await queryAnomalies(query, [...scores.keys()], cutoff);
  return { rounds, scores, pairs, persistence, linear, contribution, anomalies };
}
