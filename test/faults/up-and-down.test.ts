import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { packageFile } from '../../cli/shared/package-root';
import { isAlive } from '../../cli/processes/identity';
import { runningSystemSchema, type RunningSystem } from '../../cli/system/running';
import { expectGone, GONE_MILLIS, withoutSharedServers } from '../support/system-processes';

/** Starting two servers and four workers on a busy machine, twice. */
const UP_MILLIS = 240_000;
/** Two servers and four workers. */
const PROCESSES = 6;

jest.setTimeout(2 * UP_MILLIS + 2 * GONE_MILLIS);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-up-'));
});
afterEach(async () => {
  fedloop('down');
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('what is up outlives its command, stops with down, and leaves nothing behind when its daemon is killed', async () => {
  const system = up();
  expect(system.processes.every(isAlive)).toBe(true);
  expect(fedloop('up').stderr).toContain('a system runs in this folder already');
  const status = z
    .object({ lag: z.number(), processes: z.array(z.object({ up: z.boolean() })) })
    .parse(JSON.parse(fedloop('status', '--json').stdout));
  expect(status).toMatchObject({ lag: 0 });
  expect(status.processes.every((one) => one.up)).toBe(true);

  expect(fedloop('down').stdout).toContain(`stopped run ${system.id}`);
  await expectGone(system, PROCESSES);
  const again = fedloop('down');
  expect([again.status, again.stdout]).toEqual([0, 'nothing is running in this folder\n']);

  const resumed = up('--resume', system.id);
  expect(resumed.id).toBe(system.id);
  process.kill(resumed.pid, 'SIGKILL');
  await expectGone(resumed, PROCESSES);
  expect(fedloop('status').stderr).toContain('no system is running in this folder');
});

function up(...options: readonly string[]): RunningSystem {
  const { stdout, stderr } = fedloop('up', '--json', ...options);
  try {
    return runningSystemSchema.parse(JSON.parse(stdout));
  } catch (cause) {
    throw new Error(`the system did not come up:\n${stderr}`, { cause });
  }
}

/** The program, with servers of its own, in a folder of its own. */
function fedloop(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [packageFile('bin', 'fedloop.js'), ...args], {
    cwd: folder,
    env: withoutSharedServers(),
    encoding: 'utf8',
  });
}
