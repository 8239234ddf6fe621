import { proxyActivities } from '@temporalio/workflow';
import { type AnalyticsActivities } from '../activities/analytics';
import { batchAnalyticsInputSchema } from '../core/contracts/rounds';
import { type BatchResult } from '../core/contracts/batch-result';
import { ownFleet, refuseLockedId } from './fleet';
import { parseInput } from './input';
import { BATCH_WORK } from './limits';

/** Count the processed files into daily figures per device and sensor. */
export async function batchAnalytics(rawInput?: unknown): Promise<BatchResult> {
  refuseLockedId();
  const input = parseInput(batchAnalyticsInputSchema, rawInput);
  const taskQueue = ownFleet().analyticsQueue;
  return proxyActivities<AnalyticsActivities>({ ...BATCH_WORK, taskQueue }).runBatch(input);
}
