import { type VersionId } from '../../core/contracts/ids';
import { type PairedCluster } from '../../core/federation/paired';
import { type Ask } from '../../core/warehouse/ask';
import { askPairs, askPersistence, askRounds, askScores } from './questions';
import { type Evidence, type WithFaulty } from './summary';
import { type ScoreCluster } from './scores';

/**
 * Ask the tables for the scores of all versions. `faulty`: ids of the devices that have a fault. `last`: that many of the latest
 * rounds instead of all.
 */
export async function collectEvidence(ask: Ask, faulty: readonly string[], last?: number): Promise<Evidence> {
  const rounds = await askRounds(ask, last);
  const scores = new Map<VersionId, WithFaulty<ScoreCluster>>();
  const pairs = new Map<VersionId, WithFaulty<PairedCluster>>();
  for (const version of new Set(rounds.flatMap(({ champion, model_version }) => [champion, model_version]))) {
    scores.set(version, {
      all: await askScores(ask, version),
      faulty: await askScores(ask, version, faulty),
    });
  }
  for (const { model_version: candidate, champion } of rounds) {
    pairs.set(candidate, {
      all: await askPairs(ask, candidate, champion),
      faulty: await askPairs(ask, candidate, champion, faulty),
    });
  }
  return {
    rounds,
    scores,
    pairs,
    persistence: { all: await askPersistence(ask), faulty: await askPersistence(ask, faulty) },
  };
}
