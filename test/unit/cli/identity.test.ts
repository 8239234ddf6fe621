import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { down } from '../../../cli/actions/down';
import { isAlive, parsePs, signalProcess, startOf, stateOf } from '../../../cli/processes/identity';
import { silentProgress } from '../../../cli/progress';
import { stopDaemon } from '../../../cli/system/daemon';
import { writeRunning, type RunningSystem, type SystemProcess } from '../../../cli/system/running';
import { runningEntry } from '../../support/running-entry';

let folder: string;
let stranger: ChildProcess;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-identity-'));
  stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  await once(stranger, 'spawn');
});
afterEach(async () => {
  stranger.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const pidOf = ({ pid = 0 }: ChildProcess): number => pid;
const known = (child: ChildProcess) => ({ pid: pidOf(child), started: startOf(pidOf(child)) });

describe('a process', () => {
  it('is known by its start as well: another one with its number is not it, and gets no signal', () => {
    expect(stateOf(known(stranger))).toBe('running');
    for (const started of ['12345@another boot', null]) {
      const before = { pid: pidOf(stranger), started };
      expect(stateOf(before)).toBe('gone');
      expect(signalProcess(before, 'SIGKILL')).toBe('gone');
      expect(signalProcess(before, 'SIGKILL', 'group')).toBe('gone');
    }
    expect(stateOf(known(stranger))).toBe('running');
  });

  it('is frozen while it is stopped by a signal, and gone when it is killed', async () => {
    const it = known(stranger);
    process.kill(it.pid, 'SIGSTOP');
    while (stateOf(it) === 'running') await new Promise(setImmediate);
    expect(stateOf(it)).toBe('frozen');
    expect(signalProcess(it, 'SIGKILL')).toBe('sent');
    await once(stranger, 'exit');
    expect([stateOf(it), startOf(it.pid)]).toEqual(['gone', null]);
  });

  it('is known by what ps prints where there is no /proc', () => {
    expect(parsePs('S+   Fri Nov  7 22:34:31 2026')).toEqual({
      started: 'Fri Nov 7 22:34:31 2026',
      state: 'running',
    });
    expect(parsePs('T    Fri Nov 27 22:34:31 2026')?.state).toBe('frozen');
    expect(parsePs('Z    Fri Nov 27 22:34:31 2026')?.state).toBe('gone');
    expect(parsePs('')).toBeUndefined();
  });
});

const systemOf = (entry: Partial<RunningSystem>): RunningSystem =>
  runningEntry({ pid: 0x7ffffffe, started: '1@gone', runFolder: join(folder, 'runs', 'run-1'), ...entry });

async function downSays(entry: Partial<RunningSystem>): Promise<string> {
  await writeRunning(folder, systemOf(entry));
  let said = '';
  const signal = new AbortController().signal;
  await down({ progress: silentProgress, signal, env: {}, folder, out: (text) => (said += text) }, {});
  await expect(readFile(join(folder, '.fedloop', 'running.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  return said;
}

describe('down', () => {
  it('stops nobody when a reboot gave the numbers of its system to others, and does not say "stopped"', async () => {
    const asKafka: SystemProcess = { ...known(stranger), name: 'Kafka', restarts: 0, trouble: null };
    const said = await downSays({
      pid: pidOf(stranger),
      processes: [{ ...asKafka, started: '99@another boot' }],
    });
    expect(said).toBe(
      `nothing is running in this folder: run run-1 ended without \`fedloop down\`, and process ${pidOf(stranger)} is another program\n`,
    );
    expect(isAlive(known(stranger))).toBe(true);
  });

  it('ends what a system has left whose daemon and supervisor were both killed', async () => {
    const left: SystemProcess = { ...known(stranger), name: 'Kafka', restarts: 0, trouble: null };
    const exit = once(stranger, 'exit');
    expect(await downSays({ processes: [left] })).toBe(
      'stopped what was left (Kafka): run run-1 ended without `fedloop down`\n',
    );
    expect(await exit).toEqual([null, 'SIGTERM']);
  });

  it('takes an entry of no known form for none', async () => {
    await rm(join(folder, '.fedloop'), { recursive: true, force: true });
    let said = '';
    const session = {
      progress: silentProgress,
      signal: new AbortController().signal,
      env: {},
      folder,
      out: (text: string) => (said += text),
    };
    await down(session, {});
    await writeRunning(folder, systemOf({}));
    await writeFile(join(folder, '.fedloop', 'running.json'), `{"pid":${pidOf(stranger)}}`);
    await down(session, {});
    expect(said).toBe('nothing is running in this folder\n'.repeat(2));
    expect(isAlive(known(stranger))).toBe(true);
  });

  it('stops a system whose entry is damaged by its claim on the folder, and nobody by a claim of before', async () => {
    await writeRunning(folder, systemOf({}));
    await writeFile(join(folder, '.fedloop', 'running.json'), '');
    let said = '';
    const out = (text: string): void => void (said += text);
    const session = { progress: silentProgress, signal: new AbortController().signal, env: {}, folder, out };
    const claim = join(folder, '.fedloop', 'claim.json');
    const { pid, started } = known(stranger);
    await writeFile(claim, JSON.stringify({ pid, started: '99@another boot', id: 'run-1' }));
    await down(session, {});
    expect(said).toBe('nothing is running in this folder\n');
    const exit = once(stranger, 'exit');
    await writeFile(claim, JSON.stringify({ pid, started, id: 'run-1' }));
    await down(session, {});
    expect(said).toContain('stopped run run-1');
    expect(await exit).toEqual([null, 'SIGTERM']);
  });

  it('says so when the system is another user’s', async () => {
    const kill = jest.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    });
    try {
      await expect(stopDaemon(known(stranger))).rejects.toMatchObject({
        code: 'InvalidInput',
        message: `the system of this folder belongs to another user: its process ${pidOf(stranger)} may not be stopped from here`,
      });
    } finally {
      kill.mockRestore();
    }
  });
});
