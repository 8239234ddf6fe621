import { type FeedBackInput } from '../core/contracts/steps';
import { type Deployments } from '../core/model/deployments';
import { type WarehouseService } from '../core/warehouse/service';
import { decidedByAnother, requireNewest } from './shared/decided';

/**
 * Step 8: publish the verdict on every version of the round to `model-feedback`, counted from the rows of its windows, and store the round
 * in the tables, which is done last. A retry publishes the same; once the round is stored, nothing is left to do, also when its run is reset.
 * @throws FedloopError `RoundOvertaken` when another run's result stands there, or a later round has come.
 */
export async function feedBack(
  service: WarehouseService,
  deployments: Deployments,
  { attempt, result, candidates }: FeedBackInput,
): Promise<void> {
  const saved = await service.savedAttempt(result.round);
  if (saved === attempt || saved === null) return;
  await requireNewest(deployments, result.round);
  if (saved !== undefined) throw decidedByAnother(result.round, result.decision);
  await service.publishRoundFeedback({
    round: result.round,
    versions: [...new Set([result.champion, ...candidates])],
    from: result.windows.from,
    until: result.windows.until,
  });
  await service.saveRound(result, attempt);
}
