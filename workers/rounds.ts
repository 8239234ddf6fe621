import { createRoundsActivities } from '../activities/rounds';
import { openFeedbackLog } from '../activities/shared/feedback-log';
import { openUpdateInbox } from '../activities/shared/update-inbox';
import { ROUNDS_QUEUE } from '../core/contracts/queues';
import { WORKFLOW_BUNDLE } from './bundle';
import { type Role } from './role';
import { cpuSlots, runTemporalWorker } from './temporal';

/** Runs the workflows, aggregates, deploys and decides. */
export const roundsRole: Role = async ({ env, log, kafka, deployments }) => {
  const producer = await kafka.producer();
  const inbox = await openUpdateInbox(kafka, log);
  const feedback = await openFeedbackLog(kafka, log);
  const worker = await runTemporalWorker(log, {
    taskQueue: ROUNDS_QUEUE,
    workflowBundle: { codePath: WORKFLOW_BUNDLE },
    activities: createRoundsActivities({
      producer,
      inbox,
      feedback,
      deployments,
      modelsFolder: env.FEDLOOP_MODELS,
    }),
    maxConcurrentActivityTaskExecutions: cpuSlots(env),
  });
  return {
    failed: worker.failed,
    async stop() {
      await worker.stop();
      await inbox.close();
      await feedback.close();
      await producer.disconnect();
    },
  };
};
