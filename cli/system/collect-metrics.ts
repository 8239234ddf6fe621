import { join } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { packageRoot } from '../shared/package-root';
import { type Processes } from '../processes/processes';
import { type Target } from '../servers/prometheus-config';
import { type Servers } from '../servers/servers';
import { isFree } from '../servers/ports';
import { startPrometheus, writeTargets, type PrometheusServer } from '../servers/start-prometheus';
import { onPath } from '../servers/tool';
import { type RunFolder } from './run-folder';
import { type Session } from './session';
import { type Workers } from './workers';

/** Prometheus beside a system, which does without it while it does not run. */
export interface MetricsCollection {
  /** As it was started last; undefined while it could not be. */
  readonly server: PrometheusServer | undefined;
  /** Why it could not be started. */
  readonly trouble: FedloopError | undefined;
  again(): Promise<PrometheusServer>;
  /** Tell it where the workers are now. */
  followWorkers(): Promise<void>;
}

interface MetricsStart {
  readonly session: Session;
  readonly run: RunFolder;
  readonly processes: Processes;
  readonly servers: Servers;
  readonly workers: Workers;
  /** Where it listened before. */
  readonly port?: number | undefined;
}

/** Start Prometheus on the metrics of workers and server. @returns undefined where it is not installed. */
export async function collectMetrics(start: MetricsStart): Promise<MetricsCollection | undefined> {
  const { session, run, processes } = start;
  const program = await onPath('prometheus', session.env);
  if (program === undefined) {
    session.progress.note(
      'Prometheus is not installed: the workers serve metrics, but nothing collects them.',
    );
    return undefined;
  }
  const folder = join(run.servers, 'prometheus');
  let server: PrometheusServer | undefined;
  let trouble: FedloopError | undefined;
  const startOnce = async (port: number | undefined): Promise<PrometheusServer> => {
    server = await startPrometheus({
      processes,
      program,
      folder,
      logFolder: run.logs,
      rules: join(packageRoot(), 'dashboards', 'rules.yml'),
      targets: targetsOf(start),
      // Another program may have taken it meanwhile.
      port: port !== undefined && (await isFree(port)) ? port : undefined,
    });
    return server;
  };
  const step = session.progress.step('Starting Prometheus');
  try {
    step.done((await startOnce(start.port)).url);
  } catch (cause) {
    step.fail(processes.failure);
    processes.throwIfStopping();
    trouble =
      cause instanceof FedloopError ? cause : new FedloopError('Internal', messageOf(cause), { cause });
    session.progress.note(`${trouble.message}: the system goes without it, and tries again.`);
  }
  return {
    get server() {
      return server;
    },
    trouble,
    again: () => startOnce(server === undefined ? start.port : Number(new URL(server.url).port)),
    followWorkers: () => writeTargets(folder, targetsOf(start)),
  };
}

function targetsOf({ workers, servers }: MetricsStart): readonly Target[] {
  const temporal = servers.temporal.metricsUrl;
  return [
    ...workers.all.flatMap(({ role, url }) => [
      { job: 'fedloop', instance: role, url: `${url}/metrics` },
      { job: 'temporal-sdk', instance: role, url: `${url}/metrics/temporal` },
    ]),
    ...(temporal === undefined ? [] : [{ job: 'temporal', instance: 'temporal', url: temporal }]),
  ];
}
