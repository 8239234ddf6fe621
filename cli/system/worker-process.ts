import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { machineSentenceOfLog } from '../../core/contracts/machine-trouble';
import { heapOptions, type WorkerRole } from '../../workers/roles';
import { LIMITS } from '../shared/limits';
import { packageFile } from '../shared/package-root';
import { type Child } from '../processes/child';
import { errorLine } from '../processes/stderr-tail';
import { type Processes } from '../processes/processes';
import { poll } from '../shared/wait';

export { deploymentRoles, WORKER_ROLES, type WorkerRole } from '../../workers/roles';

/** The one line that a worker writes to stdout, once it works. */
const readyLineSchema = z.object({ ready: z.literal(true), role: z.string(), url: z.url() });

export interface WorkerProcess {
  readonly role: WorkerRole;
  /** Its `/metrics`, `/healthz` and own routes. */
  readonly url: string;
  readonly child: Child;
}

/**
 * Workers run the build's output.
 * @throws FedloopError `InvalidConfig`
 */
export async function requireBuilt(): Promise<void> {
  for (const file of [workerProgram(), packageFile('dist', 'workflow-bundle.js')]) {
    if ((await stat(file).catch(() => undefined)) !== undefined) continue;
    throw new FedloopError('InvalidConfig', 'fedloop is not built', {
      hint: 'Run `npm run build` in its folder.',
    });
  }
}

/** The file that runs a role: `node <it> <role>`. */
export function workerProgram(): string {
  return packageFile('dist', 'workers', 'main.js');
}

/**
 * Start a worker and wait until it reports that it is ready.
 * @throws FedloopError `ServerUnavailable` if it ends before, or does not report in time; the message has its last error.
 */
export async function startWorker(
  processes: Processes,
  role: WorkerRole,
  options: { readonly env: NodeJS.ProcessEnv; readonly logFolder: string; readonly cwd: string },
): Promise<WorkerProcess> {
  let url: string | undefined;
  const child = await processes.spawn({
    name: `${role} worker`,
    command: process.execPath,
    args: ['--enable-source-maps', ...heapOptions(role), workerProgram(), role],
    env: options.env,
    cwd: options.cwd,
    logFile: join(options.logFolder, `${role}.log`),
    onLine: (line) => {
      url ??= readyUrl(line);
    },
  });
  const ready = await poll(() => Promise.resolve(url ?? (child.running ? undefined : '')), {
    everyMillis: LIMITS.readyPollMillis,
    timeoutMillis: LIMITS.workerReadyMillis,
  });
  if (ready !== undefined && ready !== '') return { role, url: ready, child };
  await child.stop(0);
  throw await workerFailure(
    child,
    ready === undefined ? 'did not become ready' : 'ended before it was ready',
  );
}

/** A worker's URL from its line on stdout; undefined for any other line. */
export function readyUrl(line: string): string | undefined {
  try {
    const parsed = readyLineSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data.url : undefined;
  } catch {
    return undefined;
  }
}

/** An error about a worker or server, with the last error of its log. */
export async function workerFailure(child: Child, what: string): Promise<FedloopError> {
  const tail = await child.tail();
  const subject = child.name.endsWith(' worker') ? `the ${child.name}` : child.name;
  const said = machineSentenceOfLog(await child.tail(Infinity), child.dataFolder ?? subject);
  const error = said?.message ?? errorLine(tail);
  return new FedloopError('ServerUnavailable', `${subject} ${what}${error === '' ? '' : `: ${error}`}`, {
    hint: [said?.hint ?? [], `Its log is ${child.logFile}.`].flat().join(' '),
    cause: new Error(`last lines of ${child.logFile}:\n${tail}`),
  });
}

/** As `workerFailure`, of a process that nobody here has stopped. Its log does not say why another ended it with a signal. */
export async function unexpectedEnd(child: Child): Promise<FedloopError> {
  const { code, signal } = await child.ended;
  const failure = await workerFailure(
    child,
    `ended unexpectedly (${signal ?? `exit code ${code ?? 'unknown'}`})`,
  );
  if (signal === null || failure.hint?.startsWith('Its log') !== true) return failure;
  const { hint, cause } = failure;
  return new FedloopError('ServerUnavailable', failure.message.replace(/\): .*$/s, ')'), { hint, cause });
}
