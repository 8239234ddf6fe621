import { FedloopError } from '../../contracts/errors';
import { type SiteName } from '../../contracts/ids';
import { type FlatWeights } from '../../model/types';
import { aggregateRound, type AggregateRequest } from '../aggregation/aggregate';
import { type CheckedUpdate } from '../aggregation/update-checks';
import { type Proposal } from '../strategies/strategy';
import { norm, plus, times, weightedSum } from '../vectors';

/** A round's request whose updates say which site they are from. */
export interface SiteAggregateRequest extends AggregateRequest {
  readonly updates: readonly CheckedUpdate[];
}

/** The step [P] that a strategy makes without one site, or why it makes none. */
export type StepWithoutSite =
  | { readonly delta: FlatWeights; readonly refused: null }
  | { readonly delta: null; readonly refused: string };

/** The network that contributions are to: the steady one before its refit, or the only one. The refit's sums are no update of anybody. */
export function measuredProposal<Own extends Pick<Proposal, 'role'>>(
  proposals: readonly Own[],
): Own | undefined {
  return proposals.find(({ role }) => role === 'steady') ?? proposals[0];
}

/** Sites with updates, in order of their names. */
export function sitesOf(updates: readonly Pick<CheckedUpdate, 'site'>[]): readonly SiteName[] {
  return [...new Set(updates.map(({ site }) => site))].sort();
}

/** The strategy once more, with the same clipping and the state of before, on the updates of all other sites. Its new state is nobody's. */
export function stepWithoutSite(request: SiteAggregateRequest, left: SiteName): StepWithoutSite {
  const { updates, realAccuracy } = request;
  const places = [...updates.keys()].filter((place) => updates[place]?.site !== left);
  const kept = <Value>(values: readonly Value[]): Value[] =>
    places.flatMap((place) => values.slice(place, place + 1));
  try {
    const { proposals } = aggregateRound({
      ...request,
      updates: kept(updates),
      realAccuracy: realAccuracy === null ? null : kept(realAccuracy),
    });
    const delta = measuredProposal(proposals)?.delta;
    return delta === undefined ? { delta: null, refused: 'it made no proposal' } : { delta, refused: null };
  } catch (thrown) {
    if (!(thrown instanceof FedloopError)) throw thrown;
    return { delta: null, refused: thrown.message };
  }
}

/** By how much of its length a step may differ from the mean of its updates and pass for it: single precision adds up to less. */
const MEAN_ROUNDING = 1e-3;

/** Whether the proposal's step is the mean of these updates by its weights; Adam's is not, and a median is not. */
export function isWeightedMean(
  { delta, weights }: Pick<Proposal, 'delta' | 'weights'>,
  updates: readonly { readonly delta: FlatWeights }[],
): boolean {
  const mean = weightedSum(updates, weights, delta.length);
  return norm(plus(delta, times(mean, -1))) <= MEAN_ROUNDING * norm(delta);
}
