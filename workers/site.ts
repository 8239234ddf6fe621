import { setImmediate } from 'node:timers/promises';
import { createSiteActivities } from '../activities/site';
import { openFeedbackLog } from '../activities/shared/feedback-log';
import { openUpdateInbox } from '../activities/shared/update-inbox';
import { fleetNames } from '../core/contracts/queues';
import { readinessReport } from '../activities/describe-site';
import { trainingSettingsSchema } from '../core/contracts/rounds';
import { jsonRoute } from '../core/platform/http';
import { openSiteStore } from '../activities/shared/site-store';
import { activityMetrics } from './activity-metrics';
import { type Role } from './role';
import { cpuSlots, startTemporalWorker } from './temporal';

/** Devices looked at without a pause: some milliseconds. */
const DEVICES_AT_ONCE = 500;

function betweenDevices(device: number): Promise<void> | undefined {
  return device % DEVICES_AT_ONCE === 0 ? setImmediate() : undefined;
}

/** Trains and scores on one site's devices; their readings stay here. */
export const siteRole: Role = async ({ env, log, kafka, deployments, registry, tracing }) => {
  const producer = await kafka.producer();
  const inbox = await openUpdateInbox(kafka, log);
  const feedback = await openFeedbackLog(kafka, log);
  const store = await openSiteStore({ env, kafka, log, settings: deployments.settings() });
  const activities = createSiteActivities({
    site: env.FEDLOOP_SITE,
    threads: cpuSlots(env),
    brokers: kafka,
    producer,
    inbox,
    feedback,
    deployments,
    store,
  });
  const worker = await startTemporalWorker(log, {
    taskQueue: fleetNames(env.FEDLOOP_FLEET).siteQueue(env.FEDLOOP_SITE),
    activities,
    interceptors: { activity: [...tracing.activities, activityMetrics(registry, Object.keys(activities))] },
    // One training graph already uses every core.
    maxConcurrentActivityTaskExecutions: 1,
  });
  return {
    routes: {
      '/status': jsonRoute(() =>
        readinessReport({ store, deployments }, trainingSettingsSchema.parse({}).windows, betweenDevices),
      ),
    },
    failed: worker.failed,
    health: worker.health,
    async stop() {
      await worker.stop();
      await store.close();
      await inbox.close();
      await feedback.close();
      await producer.disconnect();
    },
  };
};
