import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FedloopError } from '../../../core/contracts/errors';
import { type Child } from '../../../cli/processes/child';
import { Processes } from '../../../cli/processes/processes';
import { Keeper, restartDelay } from '../../../cli/system/keeper';
import { workerFailure } from '../../../cli/system/worker-process';

const LIMITS = { restartMillis: 1, longestRestartMillis: 4, steadyMillis: 0 };

let folder: string;
let processes: Processes;
let keeper: Keeper;
let notes: string[];
let changed: () => void;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-keeper-'));
  processes = Processes.start();
  notes = [];
  changed = () => undefined;
  keeper = new Keeper({
    note: (line) => notes.push(line),
    onChange: () => {
      changed();
      return Promise.resolve();
    },
    limits: LIMITS,
  });
});
afterEach(async () => {
  keeper.stop();
  await processes.stopAll(0);
  await rm(folder, { recursive: true, force: true });
});

const start = (script = 'sleep 1000'): Promise<Child> =>
  processes.spawn({
    name: 'sleeper',
    command: 'sh',
    args: ['-c', script],
    logFile: join(folder, 'sleeper.log'),
  });

/** Resolves as soon as it is so, after a change. */
const until = (isSo: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    changed = () => {
      if (isSo()) resolve();
    };
    changed();
  });

const only = () => keeper.processes[0]!;
const troubleOfOnly = () => keeper.processes[0]?.trouble;

describe('a process that is kept', () => {
  it('is started again when it is killed, and each time is counted', async () => {
    keeper.keep('sleeper', await start(), start);
    const seen = new Set([only().pid]);
    for (const restarts of [1, 2, 3]) {
      const again = until(() => only().restarts === restarts);
      process.kill(only().pid, 'SIGKILL');
      await again;
      seen.add(only().pid);
      expect(only().trouble).toBeNull();
    }
    expect(seen.size).toBe(4);
    expect(notes[0]).toMatch(
      /^sleeper ended unexpectedly \(SIGKILL\)\. Its log is \S+\. It is started again at once\.$/,
    );
  });

  it('is tried again for ever when it does not start, and says why once', async () => {
    let attempts = 0;
    const again = (): Promise<Child> => {
      attempts += 1;
      return attempts < 10
        ? Promise.reject(new FedloopError('ServerUnavailable', 'the disk is full'))
        : start();
    };
    const there = until(() => troubleOfOnly() === 'the disk is full');
    keeper.keep('sleeper', new FedloopError('ServerUnavailable', 'not yet'), again);
    await there;
    expect(only().restarts).toBe(0);
    await until(() => only().restarts === 1);
    expect([attempts, only().trouble]).toEqual([10, null]);
    expect(notes).toEqual(['the disk is full. It is started again in 0.002 s, and as often as it takes.']);
  });

  it('is not started any more after the keeper was stopped', async () => {
    let attempts = 0;
    const child = await start();
    keeper.keep('sleeper', child, () => {
      attempts += 1;
      return start();
    });
    keeper.stop();
    await child.stop(0);
    await new Promise(setImmediate);
    expect(attempts).toBe(0);
  });

  it('does not touch the others', async () => {
    const other = await start();
    keeper.keep('sleeper', await start(), start);
    keeper.keep('other', other, start);
    const again = until(() => only().restarts === 1);
    process.kill(only().pid, 'SIGKILL');
    await again;
    expect(keeper.processes[1]).toMatchObject({ name: 'other', pid: other.pid, restarts: 0 });
  });
});

it('waits twice as long after each failure, up to a limit, and not at all after one that had worked', () => {
  const limits = { restartMillis: 1_000, longestRestartMillis: 30_000 };
  expect([0, 1, 2, 3, 6, 60].map((failures) => restartDelay(failures, limits))).toEqual([
    0, 1_000, 2_000, 4_000, 30_000, 30_000,
  ]);
});

it('the reason why a process ended is never a line of an earlier one', async () => {
  await writeFile(join(folder, 'sleeper.log'), 'error: no space left on device\n');
  const child = await start('exit 1');
  await child.ended;
  expect((await workerFailure(child, 'ended unexpectedly')).message).toBe('sleeper ended unexpectedly');
  const other = await start('echo "fatal: no such topic" >&2; exit 1');
  await other.ended;
  expect((await workerFailure(other, 'ended')).message).toBe('sleeper ended: fatal: no such topic');
});

it('a supervisor that is killed has a successor, so that what is started later is watched as well', async () => {
  // Those of the tests before live as long as this process.
  const others = await supervisorsOfThis();
  const own = Processes.start();
  const first = await supervisorBeside(others);
  process.kill(first, 'SIGKILL');
  expect(await supervisorBeside([...others, first])).not.toBe(first);
  const child = await own.spawn({
    name: 'late',
    command: 'sleep',
    args: ['1000'],
    logFile: join(folder, 'late.log'),
  });
  expect(child.running).toBe(true);
  await own.stopAll(0);
});

async function supervisorBeside(others: readonly number[]): Promise<number> {
  for (let looks = 0; looks < 100; looks += 1) {
    const found = (await supervisorsOfThis()).find((pid) => !others.includes(pid));
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error('there is no supervisor');
}

/** By the command line, of the children of this process that have not ended. */
async function supervisorsOfThis(): Promise<readonly number[]> {
  const words = ['-o', 'pid=', '-o', 'stat=', '-o', 'args=', '--ppid', String(process.pid)];
  const { stdout } = await promisify(execFile)('ps', words);
  return stdout
    .split('\n')
    .filter((line) => line.includes('supervisor.js') && !/^\s*\d+\s+Z/.test(line))
    .map((line) => Number(line.trim().split(' ')[0]));
}
