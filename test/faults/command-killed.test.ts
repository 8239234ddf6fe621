import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageFile } from '../../cli/shared/package-root';
import { findRunning, type RunningSystem } from '../../cli/system/running';
import { expectGone, GONE_MILLIS, withoutSharedServers } from '../support/system-processes';

/** Starting two servers and five workers on a busy machine. */
const UP_MILLIS = 240_000;
/** Two servers and five workers. */
const PROCESSES = 7;

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
    await expectGone(system, PROCESSES);
  });

  it('stops everything within seconds and ends with 130 on Ctrl-C', async () => {
    const system = await demoInFull();
    command?.kill('SIGINT');
    const [code] = (await once(command!, 'exit')) as [number | null];
    expect(code).toBe(130);
    await expectGone(system, PROCESSES);
    expect(await findRunning(folder)).toBeUndefined();
  });
});

/** A small demo with servers of its own, as soon as everything is up. */
async function demoInFull(): Promise<RunningSystem> {
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
    env: withoutSharedServers(),
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
