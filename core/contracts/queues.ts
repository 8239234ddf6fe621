import { type SiteName } from './ids';

/** Task queues: one for each kind of work that must be scaled, or must stay alone, by itself. */
export const ROUNDS_QUEUE = 'fedloop-rounds';
export const ANALYTICS_QUEUE = 'fedloop-analytics';

export function siteQueue(site: SiteName): string {
  return `fedloop-site-${site}`;
}

/** A stream worker's own queue: its lease must be held by that very process. */
export function streamQueue(worker: string): string {
  return `fedloop-stream-${worker}`;
}

/** The workflow id that rounds run under: Temporal lets one run at a time have it, so rounds cannot overlap. */
export const ROUND_WORKFLOW_ID = 'fedloop-round';
export const TRAINING_WORKFLOW_ID = 'fedloop-training';
export const BATCH_WORKFLOW_ID = 'fedloop-batch';
/** The one evaluation of a deployment, which every stream worker joins. */
export const EVALUATION_WORKFLOW_ID = 'fedloop-evaluation';
/** One change of champion by hand at a time. */
export const CHAMPION_WORKFLOW_ID = 'fedloop-champion';

/** Ids of the schedules by what they start. Stable: setting one again changes it in place. */
export const SCHEDULES = { rounds: 'fedloop-rounds', batch: 'fedloop-batch' } as const;
export type ScheduleName = keyof typeof SCHEDULES;
export const SCHEDULE_NAMES = Object.keys(SCHEDULES) as readonly ScheduleName[];
