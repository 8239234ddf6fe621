import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../../cli/servers/cache';
import { isAlive, type RunningSystem } from '../../cli/system/running';

/** The supervisor's grace, and the time that a system takes to reap its dead. */
export const GONE_MILLIS = 20_000;

/** Process ids of the servers and workers that a system has started. */
export function processesOf({ kafka, temporal, workers }: RunningSystem): readonly number[] {
  return [kafka.pid, temporal.pid, ...workers.map(({ pid }) => pid)].filter((pid) => pid !== null);
}

/** Fails unless all `count` processes of a system end in time. */
export async function expectGone(system: RunningSystem, count: number): Promise<void> {
  const deadline = Date.now() + GONE_MILLIS;
  let left = processesOf(system);
  expect(left.length).toBe(count);
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(100);
    const states = await Promise.all(
      left.map(async (pid) => ({ pid, lives: isAlive(pid) && !(await isZombie(pid)) })),
    );
    left = states.filter(({ lives }) => lives).map(({ pid }) => pid);
  }
  expect(left).toEqual([]);
}

/** Dead, and waiting for its new parent to notice. */
async function isZombie(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return status.includes(') Z');
}

/** The environment without the test run's shared servers: a command started with it brings up its own. */
export function withoutSharedServers(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(KAFKA|TEMPORAL)_/.test(name));
  return { ...Object.fromEntries(own), FEDLOOP_CACHE: cacheFolder() };
}
