import { proxyActivities } from '@temporalio/workflow';
import { type AnalyticsActivities } from '../activities/analytics';
import { ANALYTICS_QUEUE } from '../core/contracts/queues';
import { batchAnalyticsInputSchema } from '../core/contracts/rounds';
import { type BatchResult } from '../core/contracts/steps';
import { parseInput } from './input';
import { BATCH_WORK } from './limits';

const analytics = proxyActivities<AnalyticsActivities>({ ...BATCH_WORK, taskQueue: ANALYTICS_QUEUE });

/** Count the processed files into daily figures per device and sensor. */
export async function batchAnalytics(rawInput?: unknown): Promise<BatchResult> {
  return analytics.runBatch(parseInput(batchAnalyticsInputSchema, rawInput));
}
