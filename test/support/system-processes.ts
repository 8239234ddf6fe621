import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../../cli/servers/cache';
import { isAlive } from '../../cli/processes/identity';
import { type RunningSystem } from '../../cli/system/running';

/** The supervisor's grace, and the time that a system takes to reap its dead. */
export const GONE_MILLIS = 20_000;

/** Fails unless all processes of a system, at least `count`, end in time. */
export async function expectGone({ processes }: RunningSystem, count: number): Promise<void> {
  const deadline = Date.now() + GONE_MILLIS;
  expect(processes.length).toBeGreaterThanOrEqual(count);
  let left = processes.filter(isAlive);
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(100);
    left = left.filter(isAlive);
  }
  expect(left).toEqual([]);
}

/** The environment without the test run's shared servers: a command started with it brings up its own. */
export function withoutSharedServers(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(KAFKA|TEMPORAL)_/.test(name));
  return { ...Object.fromEntries(own), FEDLOOP_CACHE: cacheFolder() };
}
