import { type BatchAnalyticsInput } from '../core/contracts/rounds';
import {
  type BatchResult,
  type EvaluateInput,
  type EvaluateResult,
  type FeedBackInput,
} from '../core/contracts/steps';
import { type Deployments } from '../core/model/deployments';
import { type WarehouseService } from '../core/warehouse/service';
import { evaluate } from './evaluate';
import { feedBack } from './feed-back';
import { runBatch } from './run-batch';
import { withFailureCodes } from './shared/failures';

export interface AnalyticsDependencies {
  readonly service: WarehouseService;
  readonly deployments: Deployments;
  /** Folder of the files that the batch path counts. */
  readonly processed: string;
}

/** What the owner of the tables does for workflows. */
export interface AnalyticsActivities {
  evaluate(input: EvaluateInput): Promise<EvaluateResult>;
  feedBack(input: FeedBackInput): Promise<void>;
  runBatch(input: BatchAnalyticsInput): Promise<BatchResult>;
}

export function createAnalyticsActivities({
  service,
  deployments,
  processed,
}: AnalyticsDependencies): AnalyticsActivities {
  return withFailureCodes<AnalyticsActivities>({
    evaluate: (input) => evaluate(service, input),
    feedBack: (input) => feedBack(service, deployments, input),
    runBatch: (input) => runBatch(service, processed, input),
  });
}
