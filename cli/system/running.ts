import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { DEFAULT_FLEET, fleetNameSchema } from '../../core/contracts/ids';
import { TOPICS } from '../../core/contracts/topics';
import { parseJson } from '../../core/contracts/validation';
import { readToken } from '../../core/warehouse/sql/token';
import { WAREHOUSE_FILE } from './run-folder';

/** What a running system publishes to the other commands in its folder. */
export const runningSystemSchema = z.object({
  id: z.string(),
  /** The daemon or command that keeps it up; the system ends with it. */
  pid: z.int().positive(),
  startedAt: z.iso.datetime(),
  runFolder: z.string(),
  fleet: fleetNameSchema.default(DEFAULT_FLEET),
  kafka: z.object({
    brokers: z.string(),
    topicPrefix: z.string(),
    /** What stream workers read, as Kafka's interface takes it. */
    eventTopic: z.string().default(TOPICS.stream.name),
    pid: z.int().nullable(),
  }),
  temporal: z.object({
    address: z.string().nullable(),
    namespace: z.string(),
    uiUrl: z.string().nullable(),
    configFile: z.string().nullable(),
    pid: z.int().nullable(),
  }),
  prometheusUrl: z.string().nullable(),
  workers: z.array(z.object({ role: z.string(), pid: z.int(), url: z.string(), log: z.string() })),
});
export type RunningSystem = z.infer<typeof runningSystemSchema>;

function fileIn(folder: string): string {
  return join(folder, '.fedloop', 'running.json');
}

/** The running system of a folder, or undefined. A file that a killed command has left does not count. */
export async function findRunning(folder: string): Promise<RunningSystem | undefined> {
  const text = await readFile(fileIn(folder), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = runningSystemSchema.safeParse(parseJson(text));
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : undefined;
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

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // A process of another user may not be signalled, but it exists.
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}
