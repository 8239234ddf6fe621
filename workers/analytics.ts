import { createAnalyticsActivities } from '../activities/analytics';
import { fleetNames } from '../core/contracts/queues';
import { WarehouseService } from '../core/warehouse/service';
import { activityMetrics } from './activity-metrics';
import { type Role } from './role';
import { startTemporalWorker } from './temporal';

/** Steps mostly wait for windows, or for DuckDB: a few may run at once. */
const CONCURRENT_STEPS = 8;

/** Owns DuckDB: stores every row, publishes feedback, judges rounds, runs the batch path, answers SQL. */
export const analyticsRole: Role = async ({ env, log, kafka, deployments, registry, tracing }) => {
  const service = await WarehouseService.start({
    kafka,
    env,
    settings: deployments.settings(),
    log,
    registry,
  });
  const activities = createAnalyticsActivities({ service, deployments, processed: env.FEDLOOP_PROCESSED });
  const worker = await startTemporalWorker(log, {
    taskQueue: fleetNames(env.FEDLOOP_FLEET).analyticsQueue,
    activities,
    interceptors: { activity: [...tracing.activities, activityMetrics(registry, Object.keys(activities))] },
    maxConcurrentActivityTaskExecutions: CONCURRENT_STEPS,
  });
  return {
    routes: service.routes,
    health: () => service.trouble ?? worker.health(),
    failed: Promise.race([worker.failed, service.failed]),
    async stop() {
      await worker.stop();
      await service.stop();
    },
  };
};
