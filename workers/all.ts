import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { type Environment } from '../core/contracts/config';
import { parseJson } from '../core/contracts/validation';
import { followDeployments } from '../core/model/deployments';
import { readEnvironment } from '../core/platform/config';
import { connectKafka } from '../core/platform/kafka';
import { createLogger } from '../core/platform/log';
import { ensureTopics } from './role';
import { deploymentRoles, heapOptions, type WorkerRole } from './roles';

/** A role's own time to stop is 20 s; whatever is still there then is killed. */
const KILL_AFTER_MS = 25_000;

const readyLine = z.object({ ready: z.literal(true), role: z.string(), url: z.url() });

/**
 * Every role in a process of its own under this one, so that training never delays the stream. They stop together: on a signal, and when
 * one of them ends. Each serves its metrics on a port of its own: FEDLOOP_HTTP_PORT and those after it, or any free ones.
 * @returns the exit code.
 */
export async function runAllRoles(program: string): Promise<number> {
  const env = readEnvironment();
  const { FEDLOOP_HTTP_PORT: firstPort } = env;
  const roles = await rolesOf(env);
  const children = roles.map((role, index) =>
    spawn(process.execPath, ['--enable-source-maps', ...heapOptions(role), program, role], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        ...(firstPort === 0 ? {} : { FEDLOOP_HTTP_PORT: String(firstPort + index) }),
      },
    }),
  );
  let stopping = false;
  const isStopping = (): boolean => stopping;
  const stop = (): void => {
    stopping = true;
    for (const child of children) child.kill('SIGTERM');
    setTimeout(() => {
      for (const child of children) child.kill('SIGKILL');
    }, KILL_AFTER_MS).unref();
  };
  let signalled = false;
  const wasSignalled = (): boolean => signalled;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      signalled = true;
      stop();
    });
  }
  announce(children, roles.length);
  const codes = await Promise.all(
    children.map(async (child, index) => {
      const [code] = (await once(child, 'exit')) as [number | null];
      if (!isStopping()) {
        process.stderr.write(`the ${roles[index] ?? ''} worker has ended; the others are stopped\n`);
        stop();
      }
      return code ?? 1;
    }),
  );
  return wasSignalled() ? Math.max(...codes) : Math.max(1, ...codes);
}

/** The deployment's settings say which roles there are. */
async function rolesOf(env: Environment): Promise<readonly WorkerRole[]> {
  const log = createLogger('fedloop-all', env.FEDLOOP_LOG_LEVEL);
  const kafka = await connectKafka(env, 'fedloop-all', log);
  try {
    await ensureTopics(kafka, env);
    const deployments = await followDeployments(kafka, log);
    const { source } = deployments.settings();
    await deployments.close();
    return deploymentRoles(source);
  } finally {
    await kafka.disconnect();
  }
}

/** One line on stdout when all are ready, like the line that each of them writes. */
function announce(children: readonly ChildProcess[], count: number): void {
  const urls: Record<string, string> = {};
  for (const { stdout } of children) {
    if (stdout === null) continue;
    createInterface({ input: stdout }).on('line', (line) => {
      const ready = readyLine.safeParse(parseJson(line));
      if (!ready.success) return;
      urls[ready.data.role] = ready.data.url;
      if (Object.keys(urls).length === count)
        process.stdout.write(`${JSON.stringify({ ready: true, role: 'all', urls })}\n`);
    });
  }
}
