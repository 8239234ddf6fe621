import { type SiteName } from './ids';

/** Task queues: one for each kind of work that must be scaled, or must stay alone, by itself. */
export const ROUNDS_QUEUE = 'fedloop-rounds';
export const ANALYTICS_QUEUE = 'fedloop-analytics';

export function siteQueue(site: SiteName): string {
  return `fedloop-site-${site}`;
}

/** The workflow id that rounds run under: Temporal lets one run at a time have it, so rounds cannot overlap. */
export const ROUND_WORKFLOW_ID = 'fedloop-round';
export const TRAINING_WORKFLOW_ID = 'fedloop-training';
export const BATCH_WORKFLOW_ID = 'fedloop-batch';
