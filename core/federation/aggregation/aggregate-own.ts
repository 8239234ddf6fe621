import { type RunningStrategy } from '../strategies/own/running-strategy';
import { stateFor } from '../strategies/server-state';
import { soleProposal } from '../strategies/strategy';
import { type OwnStrategyName } from '../../contracts/strategies';
import { clipUpdates, type AggregateRequest, type RoundAggregation } from './aggregate';

export interface AggregateOwnRequest extends Omit<
  AggregateRequest,
  'strategy' | 'noise' | 'rootUpdate' | 'fleetDevices'
> {
  readonly name: OwnStrategyName;
  readonly running: Pick<RunningStrategy, 'aggregate' | 'module'>;
  readonly round: number;
}

/**
 * The server's step by a strategy of one's own: clip, if that part is on, then what the module says. An update without a share in the step is
 * left out. The module's hash goes into the lineage: a name may be another file tomorrow.
 * @throws FedloopError `StrategyFailed`
 */
export async function aggregateByOwn(request: AggregateOwnRequest): Promise<RoundAggregation> {
  const { name, running, round, updates, base, learningRate, localSteps, realAccuracy } = request;
  const { deltas, clipped } = clipUpdates(request);
  const before = stateFor(name, request.state, base.length);
  const { delta, weights, state } = await running.aggregate({
    updates: updates.map((update, index) => ({
      deviceId: update.deviceId,
      delta: deltas[index] ?? update.delta,
      rows: update.rows,
      localSteps: localSteps(update.rows),
      selfReportedAccuracy: update.selfReportedAccuracy,
      baseLoss: update.baseLoss,
      realAccuracy: realAccuracy?.[index] ?? { recent: null, long: null },
    })),
    context: { base, round, learningRate, steps: before.steps, state: before.vectors },
    settings: request.strategySettings,
  });
  const aggregation = soleProposal(
    { delta, weights },
    { ...before, steps: before.steps + 1, vectors: state },
    Array.from(weights, (share) => (share > 0 ? null : 'not-chosen')),
  );
  return { ...aggregation, clipped, feedbackUsed: { strategy_sha256: running.module.sha256 } };
}
