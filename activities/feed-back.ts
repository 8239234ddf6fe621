import { type FeedBackInput } from '../core/contracts/steps';
import { type WarehouseService } from '../core/warehouse/service';

/**
 * Step 8: publish the verdict on every version of the round to `model-feedback`, counted from the rows of its windows, and store the round
 * in the tables. A retry publishes the same.
 */
export async function feedBack(
  service: WarehouseService,
  { result, candidates }: FeedBackInput,
): Promise<void> {
  await service.publishRoundFeedback({
    round: result.round,
    versions: [...new Set([result.champion, ...candidates])],
    from: result.windows.from,
    until: result.windows.until,
  });
  await service.saveRound(result);
}
