import { join } from 'node:path';
import { topicPrefixOf } from '../../core/contracts/config';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { readEnvironment } from '../../core/platform/config';
import { type Servers } from '../servers/servers';
import { type WantedDeployment } from './log-settings';
import { type RunFolder } from './run-folder';

/** Environment of a system's workers; each run has its own files. */
export function workerEnvironment(
  { run, deployment }: { readonly run: RunFolder; readonly deployment: WantedDeployment },
  servers: Servers,
  prepared: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const { fleet } = deployment.plan;
  const named = readEnvironment({ ...servers.env, FEDLOOP_FLEET: fleet });
  const isShared = servers.kafka.own === undefined;
  return {
    ...servers.env,
    FEDLOOP_FLEET: fleet,
    // What the file says is logged; workers obey that.
    FEDLOOP_CONFIG: '',
    FEDLOOP_TOPIC_PREFIX:
      named.FEDLOOP_TOPIC_PREFIX ?? (isShared && isOneRun(deployment) ? `${run.id}.` : topicPrefixOf(named)),
    FEDLOOP_WAREHOUSE: run.warehouse,
    FEDLOOP_PROCESSED: run.processed,
    FEDLOOP_MODELS: join(run.models, 'global'),
    // Five processes on one machine cannot share one port.
    FEDLOOP_HTTP_PORT: '0',
    FEDLOOP_LOG_LEVEL: servers.env['FEDLOOP_LOG_LEVEL'] ?? 'info',
    // glibc keeps a memory pool per thread; DuckDB, onnxruntime and Temporal's core have many. Two pools save 150 MB.
    MALLOC_ARENA_MAX: servers.env['MALLOC_ARENA_MAX'] ?? '2',
    ...prepared,
  };
}

/** A fleet without a name or file of its own lives for one run: on a shared broker the run's name keeps its topics apart. */
function isOneRun({ plan, fromFile }: WantedDeployment): boolean {
  return plan.fleet === DEFAULT_FLEET && fromFile !== true;
}
