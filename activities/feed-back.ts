import { type FeedBackInput } from '../core/contracts/steps';
import { type WarehouseService } from '../core/warehouse/service';

/**
 * Step 8: the verdict on every version of the round to `model-feedback`, counted from the rows of its windows, and the round into the
 * tables. Doing it again says the same again.
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
