import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageFile, packageRoot } from '../../cli/shared/package-root';
import { findRunning, isAlive, type RunningSystem } from '../../cli/system/running';

/** Starting two servers and five workers on a busy machine. */
const UP_MILLIS = 240_000;
/** The guardian's grace, and the time that a system takes to bury its dead. */
const GONE_MILLIS = 20_000;

jest.setTimeout(UP_MILLIS + 2 * GONE_MILLIS);

let folder: string;
let command: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-killed-'));
});
afterEach(async () => {
  command?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe('a demo that ends before its time', () => {
  it('leaves no process behind when the command is killed outright', async () => {
    const system = await demoInFull();
    command?.kill('SIGKILL');
    await expectGone(system);
  });

  it('stops everything within seconds and ends with 130 on Ctrl-C', async () => {
    const system = await demoInFull();
    command?.kill('SIGINT');
    const [code] = (await once(command!, 'exit')) as [number | null];
    expect(code).toBe(130);
    await expectGone(system);
    expect(await findRunning(folder)).toBeUndefined();
  });
});

/** A small demo with servers of its own, as soon as everything is up. */
async function demoInFull(): Promise<RunningSystem> {
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(KAFKA|TEMPORAL)_/.test(name)),
  );
  const args = [
    packageFile('bin', 'fedloop.js'),
    'demo',
    '--devices',
    '60',
    '--data',
    packageFile('data', 'weather'),
  ];
  command = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...own, FEDLOOP_CACHE: process.env['FEDLOOP_CACHE'] ?? join(packageRoot(), '.fedloop') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  command.stderr?.on('data', (text: Buffer) => (said += text.toString()));
  const deadline = Date.now() + UP_MILLIS;
  while (Date.now() < deadline) {
    const system = await findRunning(folder);
    if (system !== undefined) return system;
    if (command.exitCode !== null) break;
    await sleep(100);
  }
  throw new Error(`the demo did not come up:\n${said}`);
}

async function expectGone({ kafka, temporal, workers }: RunningSystem): Promise<void> {
  const pids = [kafka.pid, temporal.pid, ...workers.map(({ pid }) => pid)].filter((pid) => pid !== null);
  expect(pids.length).toBe(7);
  const deadline = Date.now() + GONE_MILLIS;
  let left: readonly number[] = pids;
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
