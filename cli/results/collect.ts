import { type VersionId } from '../../core/contracts/ids';
import { type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { type Ask } from '../../core/warehouse/database/ask';
import { type Cutoff } from './cutoff';
import { queryPairs, queryPersistence, queryRounds, queryScores, type Counted } from './queries';
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
export async function collectEvidence(ask: Ask, { cutoff, faulty, last }: Selection): Promise<Evidence> {
  const rounds = await queryRounds(ask, last);
  const scores = new Map<VersionId, WithFaulty<ScoreCluster>>();
  const pairs = new Map<VersionId, WithFaulty<PairedCluster>>();
  const of = async <Cluster>(
    query: (counted: Counted) => Promise<readonly Cluster[]>,
  ): Promise<WithFaulty<Cluster>> => ({
    all: await query({ cutoff }),
    faulty: await query({ cutoff, devices: faulty }),
  });
  for (const version of new Set(rounds.flatMap(({ champion, model_version }) => [champion, model_version])))
    scores.set(version, await of((counted) => queryScores(ask, version, counted)));
  for (const { model_version: candidate, champion } of rounds)
    pairs.set(candidate, await of((counted) => queryPairs(ask, candidate, champion, counted)));
  return { rounds, scores, pairs, persistence: await of((counted) => queryPersistence(ask, counted)) };
}
