import { createRoundsActivities } from '../activities/rounds';
import { openFeedbackLog } from '../activities/shared/feedback-log';
import { LatestModel } from '../activities/shared/latest-model';
import { openUpdateInbox } from '../activities/shared/update-inbox';
import { fleetNames } from '../core/contracts/queues';
import { activityMetrics } from './activity-metrics';
import { WORKFLOW_BUNDLE } from './bundle';
import { countEarlyEnds } from './early-ends';
import { type Role } from './role';
import { registerSearchAttributes } from './search-attributes';
import { connectToTemporal, cpuSlots, pollQueue, workflowOptions } from './temporal';

/**
 * Rounds that wait for their turn hold a slot each, and do nothing in it. Without slots beside theirs the round that they wait for would get none for its
 * steps.
 */
const WAITING_ROUNDS = 1_000;

/** Runs the workflows, aggregates, deploys and decides. */
export const roundsRole: Role = async ({ env, log, kafka, deployments, registry, tracing }) => {
  const { roundsQueue, roundId } = fleetNames(env.FEDLOOP_FLEET);
  const producer = await kafka.producer();
  const inbox = await openUpdateInbox(kafka, log);
  const feedback = await openFeedbackLog(kafka, log);
  const latestModel = new LatestModel({ folder: env.FEDLOOP_MODELS, deployments, feedback, log });
  const temporal = await connectToTemporal(log);
  const activities = countEarlyEnds(
    createRoundsActivities({
      brokers: kafka,
      producer,
      inbox,
      feedback,
      deployments,
      roundId,
      roundsQueue,
      latestModel,
      strategies: env.FEDLOOP_STRATEGIES,
      searchAttributes: await registerSearchAttributes(temporal.connection, temporal.namespace, log),
    }),
    registry,
  );
  const worker = await pollQueue(log, temporal, {
    ...workflowOptions(env),
    taskQueue: roundsQueue,
    workflowBundle: { codePath: WORKFLOW_BUNDLE },
    activities,
    interceptors: { activity: [...tracing.activities, activityMetrics(registry, Object.keys(activities))] },
    maxConcurrentActivityTaskExecutions: cpuSlots(env) + WAITING_ROUNDS,
    // A poll occupies a slot. With one poll, a slot stays free for a step that Temporal returns together with a workflow task.
    maxConcurrentActivityTaskPolls: 1,
  });
  latestModel.keep();
  return {
    failed: worker.failed,
    health: () => worker.health() ?? latestModel.trouble,
    async stop() {
      await worker.stop();
      await latestModel.close();
      await inbox.close();
      await feedback.close();
      await producer.disconnect();
    },
  };
};
