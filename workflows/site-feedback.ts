import { type Lineage } from '../core/contracts/deployments';
import { type TrainResult } from '../core/contracts/steps';

/**
 * What feedback changed in training at all sites: the first site's figures by name, and under `name (site)` those of any other site
 * that differ, such as a site that had read newer feedback.
 */
export function feedbackOfSites(
  trained: readonly Pick<TrainResult, 'site' | 'feedbackUsed'>[],
): Lineage['feedback_used'] {
  const used: Record<string, Lineage['feedback_used'][string]> = { ...trained[0]?.feedbackUsed };
  for (const { site, feedbackUsed } of trained.slice(1))
    for (const [name, value] of Object.entries(feedbackUsed))
      if (value !== trained[0]?.feedbackUsed[name]) used[`${name} (${site})`] = value;
  return used;
}
