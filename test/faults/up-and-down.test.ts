import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { packageFile, packageRoot } from '../../cli/shared/package-root';
import { isAlive, runningSystemSchema, type RunningSystem } from '../../cli/system/running';

/** Starting two servers and four workers on a busy machine, twice. */
const UP_MILLIS = 240_000;
/** The guardian's grace, and the time that a system takes to bury its dead. */
const GONE_MILLIS = 20_000;

jest.setTimeout(2 * UP_MILLIS + 2 * GONE_MILLIS);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-up-'));
});
afterEach(async () => {
  fedloop('down');
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('what is up outlives its command, stops with down, and leaves nothing behind when its keeper is killed', async () => {
  const system = up();
  expect(processesOf(system).every(isAlive)).toBe(true);
  expect(fedloop('up').stderr).toContain('a system runs in this folder already');
  const status = z
    .object({ lag: z.number(), processes: z.array(z.object({ up: z.boolean() })) })
    .parse(JSON.parse(fedloop('status', '--json').stdout));
  expect(status).toMatchObject({ lag: 0 });
  expect(status.processes.every((one) => one.up)).toBe(true);

  expect(fedloop('down').stdout).toContain(`stopped run ${system.id}`);
  await expectGone(system);
  const again = fedloop('down');
  expect([again.status, again.stdout]).toEqual([0, 'nothing is running in this folder\n']);

  const resumed = up('--resume', system.id);
  expect(resumed.id).toBe(system.id);
  process.kill(resumed.pid, 'SIGKILL');
  await expectGone(resumed);
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
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(KAFKA|TEMPORAL)_/.test(name)),
  );
  return spawnSync(process.execPath, [packageFile('bin', 'fedloop.js'), ...args], {
    cwd: folder,
    env: { ...own, FEDLOOP_CACHE: process.env['FEDLOOP_CACHE'] ?? join(packageRoot(), '.fedloop') },
    encoding: 'utf8',
  });
}

function processesOf({ kafka, temporal, workers }: RunningSystem): readonly number[] {
  return [kafka.pid, temporal.pid, ...workers.map(({ pid }) => pid)].filter((pid) => pid !== null);
}

async function expectGone(system: RunningSystem): Promise<void> {
  const deadline = Date.now() + GONE_MILLIS;
  let left: readonly number[] = processesOf(system);
  expect(left.length).toBe(6);
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
