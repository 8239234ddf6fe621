import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { DEFAULT_FLEET, fleetNameSchema } from '../../core/contracts/ids';
import { TOPICS } from '../../core/contracts/topics';
import { parseJson } from '../../core/contracts/validation';
import { readToken } from '../../core/warehouse/sql/token';
import { isAlive, signalProcess, startOf } from '../processes/identity';
import { LIMITS } from '../shared/limits';
import { poll } from '../shared/wait';
import { runFolder, WAREHOUSE_FILE } from './run-folder';
import { isCopied } from './same-place';

/** A process that a system has started. */
const systemProcessSchema = z.object({
  /** `Kafka`, `Temporal`, `Prometheus`, or a worker's role. */
  name: z.string(),
  pid: z.int().positive(),
  started: z.string().nullable(),
  /** How often it has ended by itself and was started again. */
  restarts: z.int(),
  /** Why it does not run now; null while it was not seen to end. */
  trouble: z.string().nullable(),
});
export type SystemProcess = z.infer<typeof systemProcessSchema>;

/** What a running system publishes to the other commands in its folder. */
export const runningSystemSchema = z.object({
  id: z.string(),
  /** The daemon or command that keeps it up; the system ends with it. */
  pid: z.int().positive(),
  /** When that process was started (`startOf`): its number may be another's by now. */
  started: z.string().nullable().default(null),
  startedAt: z.iso.datetime(),
  runFolder: z.string(),
  fleet: fleetNameSchema.default(DEFAULT_FLEET),
  kafka: z.object({
    brokers: z.string(),
    topicPrefix: z.string(),
    /** What stream workers read, as Kafka's interface takes it. */
    eventTopic: z.string().default(TOPICS.stream.name),
  }),
  temporal: z.object({
    address: z.string().nullable(),
    namespace: z.string(),
    uiUrl: z.string().nullable(),
    configFile: z.string().nullable(),
  }),
  prometheusUrl: z.string().nullable(),
  workers: z.array(z.object({ role: z.string(), url: z.string(), log: z.string() })),
  /** All that it has started; servers that the environment names are none of them. */
  processes: z.array(systemProcessSchema).default([]),
});
export type RunningSystem = z.infer<typeof runningSystemSchema>;

function fileIn(folder: string): string {
  return join(folder, '.fedloop', 'running.json');
}

/**
 * What is known of a folder's system. `ended`: its command was killed, or the machine was started anew; only its entry is left. The entry in a copy of
 * another system's folder is none: what lives is the other's.
 */
export type KnownSystem =
  { readonly is: 'running' | 'ended'; readonly system: RunningSystem } | { readonly is: 'none' };

export async function lookForSystem(folder: string): Promise<KnownSystem> {
  const text = await readFile(fileIn(folder), 'utf8').catch(() => undefined);
  const parsed = runningSystemSchema.safeParse(parseJson(text ?? ''));
  if (!parsed.success) return { is: 'none' };
  if (await isCopied(parsed.data.runFolder, runFolder(folder, parsed.data.id).path)) return { is: 'none' };
  return { is: isAlive(parsed.data) ? 'running' : 'ended', system: parsed.data };
}

/** The running system of a folder, or undefined. An entry that a killed command has left does not count. */
export async function findRunning(folder: string): Promise<RunningSystem | undefined> {
  const known = await lookForSystem(folder);
  return known.is === 'running' ? known.system : undefined;
}

/**
 * @throws FedloopError `ServerUnavailable` when no system runs.
 */
export async function requireRunning(folder: string): Promise<RunningSystem> {
  const running = await findRunning(folder);
  if (running !== undefined) return running;
  throw new FedloopError('ServerUnavailable', 'no system is running in this folder', {
    hint: 'Start one with `fedloop up`, or `fedloop demo --stay` in another terminal.',
  });
}

/**
 * @throws FedloopError `ServerUnavailable` when one runs already: two would overwrite each other's state.
 */
export async function requireNoneRunning(folder: string): Promise<void> {
  const running = await findRunning(folder);
  if (running === undefined) return;
  throw new FedloopError(
    'ServerUnavailable',
    `a system runs in this folder already (run ${running.id}, process ${running.pid})`,
    {
      hint: 'Stop it with `fedloop down`, or work in another folder.',
    },
  );
}

/** Publish a running system. The file is replaced as a whole, so that no command reads half of it. */
export async function writeRunning(folder: string, system: RunningSystem): Promise<void> {
  const path = fileIn(folder);
  await mkdir(join(folder, '.fedloop'), { recursive: true });
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(system, null, 2)}\n`);
  await rename(draft, path);
}

/** Remove what this command has published; another command's entry stays. */
export async function forgetRunning(folder: string, pid: number): Promise<void> {
  const text = await readFile(fileIn(folder), 'utf8').catch(() => undefined);
  const parsed = runningSystemSchema.safeParse(parseJson(text ?? ''));
  if (parsed.success && parsed.data.pid === pid) await rm(fileIn(folder), { force: true });
}

/** Where queries are answered, and the token that they need; undefined where none is known. */
export interface AnalyticsAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/** A system's analytics worker; undefined without a system or without such a worker. */
export async function analyticsOf(
  system: RunningSystem | undefined,
  env: NodeJS.ProcessEnv,
): Promise<AnalyticsAddress | undefined> {
  const url = system?.workers.find(({ role }) => role === 'analytics')?.url;
  if (system === undefined || url === undefined) return undefined;
  return analyticsAt(url, join(system.runFolder, WAREHOUSE_FILE), env);
}

/** The worker at an address that owns `warehouse`: its token is the environment's, else that of the file beside the warehouse. */
export async function analyticsAt(
  url: string,
  warehouse: string,
  env: NodeJS.ProcessEnv,
): Promise<AnalyticsAddress> {
  const configured = env['FEDLOOP_SQL_TOKEN'] ?? '';
  return { url, token: configured === '' ? await readToken(warehouse) : configured };
}

/**
 * End the processes of a system whose command and supervisor were both killed, and its entry. What has the number of one of them by now
 * is left alone.
 * @returns names of the processes that were still there.
 */
export async function endLeftovers(folder: string, system: RunningSystem): Promise<readonly string[]> {
  const left = system.processes.filter(isAlive);
  for (const one of left) signalProcess(one, 'SIGTERM', 'group');
  await poll(() => Promise.resolve(left.some(isAlive) ? undefined : true), {
    everyMillis: LIMITS.readyPollMillis,
    timeoutMillis: LIMITS.workerGraceMillis,
  });
  for (const one of left) signalProcess(one, 'SIGKILL', 'group');
  await forgetRunning(folder, system.pid);
  return left.map(({ name }) => name);
}

/** Why the process whose number an entry has is not the system's. */
export function describeEnded({ id, pid }: RunningSystem): string {
  return `run ${id} ended without \`fedloop down\`${startOf(pid) === null ? '' : `, and process ${pid} is another program`}`;
}
