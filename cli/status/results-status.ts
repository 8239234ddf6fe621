import { type Query } from '../../core/warehouse/database/query';
import { queryNewestContributions } from '../results/contributions';
import { queryCutoff } from '../results/cutoff';
import { queryLinear } from '../results/linear';
import { queryRounds } from '../results/queries';
import { type ContributionSummary, type LinearFigures } from '../results/summary-schema';
import { LIMITS } from '../shared/limits';

/** What the results of a run say of the networks, up to now. */
export interface ResultsSoFar {
  /** The linear models of the rounds that a report shows, beside the networks; null where there was none. */
  readonly linear: LinearFigures | null;
  /** What sites and devices brought to the newest round; null where none has measured it. */
  readonly contribution: ContributionSummary | null;
}

export async function readResults(query: Query): Promise<ResultsSoFar> {
  const [oldest] = await queryRounds(query, LIMITS.reportRounds);
  const linear =
    oldest === undefined ? null : await queryLinear(query, oldest.round, await queryCutoff(query));
  return { linear, contribution: await queryNewestContributions(query) };
}
