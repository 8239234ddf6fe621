import { type BatchResult } from '../core/contracts/batch-result';
import { type CheckChampionInput, type CheckChampionResult } from '../core/contracts/live-checks';
import { type BatchAnalyticsInput } from '../core/contracts/rounds';
import { type EvaluateInput, type EvaluateResult, type FeedBackInput } from '../core/contracts/steps';
import { type Deployments } from '../core/model/deployments';
import { type WarehouseService } from '../core/warehouse/service';
import { ChampionChecks } from './check-champion';
import { evaluate } from './evaluate';
import { feedBack } from './feed-back';
import { runBatch } from './run-batch';
import { withFailureCodes } from './shared/failures';
import { HEARTBEAT_MS, withHeartbeat } from './shared/heartbeat';

export interface AnalyticsDependencies {
  readonly service: WarehouseService;
  readonly deployments: Deployments;
  /** Folder of the files that the batch path counts. */
  readonly processed: string;
}

/** The activities of the worker that owns the tables. */
export interface AnalyticsActivities {
  evaluate(input: EvaluateInput): Promise<EvaluateResult>;
  feedBack(input: FeedBackInput): Promise<void>;
  runBatch(input: BatchAnalyticsInput): Promise<BatchResult>;
  /** Between rounds: is the champion still better than its predecessor and than persistence, and have its errors changed? */
  checkChampion(input: CheckChampionInput): Promise<CheckChampionResult>;
}

export function createAnalyticsActivities({
  service,
  deployments,
  processed,
}: AnalyticsDependencies): AnalyticsActivities {
  const checks = new ChampionChecks(service, deployments);
  const activities: AnalyticsActivities = {
    evaluate: (input) => evaluate(service, deployments, input),
    feedBack: (input) => withHeartbeat(HEARTBEAT_MS, () => feedBack(service, deployments, input)),
    runBatch: (input) => runBatch(service, processed, input),
    checkChampion: (input) => checks.check(input),
  };
  return withFailureCodes(activities, ['feedBack']);
}
