import { setFlagsFromString } from 'node:v8';
import { fleetNames } from '../core/contracts/queues';
import { type StreamStatus } from '../core/contracts/evaluation';
import { jsonRoute } from '../core/platform/http';
import { startStreamService } from '../core/stream/service';
import { evaluationInput, keepEvaluationLease } from './evaluation-lease';
import { type Role } from './role';

/**
 * How much code V8 may put into one function in place of calls. An event goes through a dozen small ones, which its own bound (920) leaves apart
 * half-way: with this one, reading an event and putting it into its window takes a seventh less time. Set here and not as an option of
 * Node, because a container starts the worker by itself.
 */
const MOST_INLINED_BYTECODE = 4_000;

function troubleOf({ topic, partitions }: StreamStatus): string | undefined {
  const replaced = partitions.flatMap(({ partition, isReplaced }) => (isReplaced === true ? partition : []));
  return replaced.length === 0
    ? undefined
    : `partition ${replaced.join(', ')} of ${topic} is not read: its log is another one than was read; this worker's log says what to do`;
}

/** Windows, verdicts and the live evaluation of every version in force, under a lease of `continuousEvaluation`. */
export const streamRole: Role = async ({ env, log, kafka, deployments, registry, tracing }) => {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${MOST_INLINED_BYTECODE}`);
  const input = evaluationInput(env.FEDLOOP_EVALUATION);
  const service = await startStreamService({ kafka, deployments, log, registry });
  const lease = keepEvaluationLease(service, input, fleetNames(env.FEDLOOP_FLEET), {
    log,
    tracing,
  });
  const status = (): StreamStatus => ({ topic: deployments.eventTopic, ...service.status() });
  return {
    routes: { '/status': jsonRoute(status) },
    failed: service.failed,
    health: () => troubleOf(status()),
    async stop() {
      await lease.stop();
      await service.stop();
    },
  };
};
