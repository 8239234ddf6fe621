import { fleetNames } from '../core/contracts/queues';
import { startStreamService } from '../core/stream/service';
import { evaluationInput, keepEvaluationLease } from './evaluation-lease';
import { type Role } from './role';

/** Windows, verdicts and the live evaluation of every version in force, under a lease of `continuousEvaluation`. */
export const streamRole: Role = async ({ env, log, kafka, deployments, registry }) => {
  const input = evaluationInput(env.FEDLOOP_EVALUATION);
  const service = await startStreamService({ kafka, deployments, log, registry });
  const lease = keepEvaluationLease(service, input, fleetNames(env.FEDLOOP_FLEET), log);
  return {
    failed: service.failed,
    async stop() {
      await lease.stop();
      await service.stop();
    },
  };
};
