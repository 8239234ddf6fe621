import { type RoundsActivities } from '../activities/rounds';
import { EARLY_ENDS, type EarlyEnd } from '../core/contracts/steps';
import { Counter, type Registry } from '../core/platform/metrics';

const ENDS: readonly EarlyEnd[] = ['failed', 'cancelled'];

/**
 * Rounds that ended without a result, by the reason: `withdraw` runs to its end once for each. Alerts use those that failed alone, because
 * a person who cancels a round wants that.
 */
export function countEarlyEnds(activities: RoundsActivities, registry: Registry): RoundsActivities {
  const ended = new Counter({
    name: 'fedloop_rounds_ended_early_total',
    help: 'Rounds that ended without a result, by why; the champion stayed.',
    labelNames: ['end'],
    registers: [registry],
  });
  // A series that begins at 0 shows its first round too.
  for (const end of ENDS) ended.inc({ end }, 0);
  return {
    ...activities,
    async withdraw(input) {
      await activities.withdraw(input);
      for (const end of ENDS) if (EARLY_ENDS[end] === input.reason) ended.inc({ end });
    },
  };
}
