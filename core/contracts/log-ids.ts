import { z } from 'zod';

/**
 * Which log stands behind the name of a topic: the cluster's id, `/`, and the topic's id in 32 hexadecimal digits. A topic that is deleted and made
 * anew has another. Empty where the broker tells no ids, as before Kafka 2.8.
 */
export const logIdSchema = z
  .string()
  .max(300)
  .regex(/^([^/\s]+\/[0-9a-f]{32})?$/u);

/**
 * Whether a topic was made anew in the place of another. An id that is not known says nothing, and neither does that of another cluster: what was moved
 * there has its offsets.
 */
export function areTwoLogs(before: string, now: string): boolean {
  return before !== '' && now !== '' && before !== now && clusterOf(before) === clusterOf(now);
}

function clusterOf(logId: string): string {
  return logId.slice(0, logId.lastIndexOf('/'));
}
