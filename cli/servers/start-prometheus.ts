import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { type Child } from '../processes/child';
import { type Processes } from '../processes/processes';
import { poll } from '../shared/wait';
import { serverEnvironment } from './own-environment';
import { freePorts } from './ports';
import { prometheusConfig, scrapeTargets, type Target } from './prometheus-config';

export interface PrometheusServer {
  readonly url: string;
  readonly child: Child;
}

interface PrometheusStart {
  readonly processes: Processes;
  readonly program: string;
  readonly folder: string;
  readonly logFolder: string;
  readonly targets: readonly Target[];
  /** File of recording and alert rules. */
  readonly rules: string;
  /** A port that was checked to be free, or any. */
  readonly port?: number | undefined;
}

/**
 * Start Prometheus on the workers' metrics and wait until it answers.
 * @throws FedloopError `ServerUnavailable`
 */
export async function startPrometheus(start: PrometheusStart): Promise<PrometheusServer> {
  const configFile = join(start.folder, 'prometheus.yml');
  await mkdir(start.folder, { recursive: true });
  await writeTargets(start.folder, start.targets);
  await writeFile(configFile, prometheusConfig({ targets: targetsIn(start.folder), rules: start.rules }));
  const [free = 0] = await freePorts(1);
  const port = start.port ?? free;
  const url = `http://127.0.0.1:${port}`;
  const child = await start.processes.spawn({
    name: 'Prometheus',
    command: start.program,
    env: serverEnvironment(process.env),
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(start.folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    logFile: join(start.logFolder, 'prometheus.log'),
  });
  const ready = await poll(
    async () => {
      if (!child.running) return false;
      const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
      return answer?.ok === true ? true : undefined;
    },
    { everyMillis: LIMITS.readyPollMillis, timeoutMillis: LIMITS.prometheusReadyMillis },
  );
  if (ready === true) return { url, child };
  await child.stop(0);
  throw new FedloopError('ServerUnavailable', 'Prometheus was started but did not become ready', {
    hint: `Its log is ${child.logFile}.`,
    cause: new Error(await child.tail()),
  });
}

/** Tell a Prometheus that runs, or will, where the metrics are: it reads the file again by itself. */
export async function writeTargets(folder: string, targets: readonly Target[]): Promise<void> {
  const draft = `${targetsIn(folder)}.draft`;
  await writeFile(draft, scrapeTargets(targets));
  await rename(draft, targetsIn(folder));
}

function targetsIn(folder: string): string {
  return join(folder, 'targets.json');
}
