import { type ActivityInterceptorsFactory } from '@temporalio/worker';
import { Histogram, type Registry } from '../core/platform/metrics';

/** From a quick look into a registry to the wait for live windows. */
const BUCKETS_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 3_600];

const OUTCOMES = ['completed', 'failed', 'cancelled'] as const;

/**
 * How long each step of a round takes, try by try, under the names that Temporal's UI shows.
 * @param names of the activities: a series that begins at 0 shows its first failure too.
 */
export function activityMetrics(registry: Registry, names: readonly string[]): ActivityInterceptorsFactory {
  const duration = new Histogram({
    name: 'fedloop_activity_duration_seconds',
    help: 'Time of one try of an activity, by its name and how it ended.',
    labelNames: ['activity', 'outcome'],
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  for (const activity of names) for (const outcome of OUTCOMES) duration.zero({ activity, outcome });
  return ({ info, cancellationSignal }) => ({
    inbound: {
      async execute(input, next) {
        const began = performance.now();
        const ended = (outcome: (typeof OUTCOMES)[number]): void => {
          duration.observe({ activity: info.activityType, outcome }, (performance.now() - began) / 1_000);
        };
        try {
          const result: unknown = await next(input);
          ended('completed');
          return result;
        } catch (thrown) {
          ended(cancellationSignal.aborted ? 'cancelled' : 'failed');
          throw thrown;
        }
      },
    },
  });
}
