import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../cli/shared/package-root';
import { Processes } from '../../../cli/processes/processes';
import { errorLine } from '../../../cli/processes/stderr-tail';
import { startOf } from '../../../cli/processes/identity';

let folder: string;
let processes: Processes;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-processes-'));
  processes = Processes.start();
});
afterEach(async () => {
  await processes.stopAll(0);
  await rm(folder, { recursive: true, force: true });
});

/** A shell that starts a child of its own, tells its id and waits. */
const FAMILY = 'sleep 1000 & echo $!; wait';

describe('a process that a command starts', () => {
  it('has its output read line by line, its errors in a log, and its exit reported', async () => {
    const lines: string[] = [];
    const child = await processes.spawn({
      name: 'talker',
      command: 'sh',
      args: ['-c', 'echo one; echo two; echo "oh no" >&2; exit 3'],
      logFile: join(folder, 'logs', 'talker.log'),
      onLine: (line) => lines.push(line),
    });
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(await child.tail()).toBe('oh no');
    expect(lines).toEqual(['one', 'two']);
    expect(child.running).toBe(false);
  });

  it('is stopped together with what it started itself', async () => {
    const grandchild = await new Promise<number>((resolve, reject) => {
      processes
        .spawn({
          name: 'family',
          command: 'sh',
          args: ['-c', FAMILY],
          logFile: join(folder, 'family.log'),
          onLine: (line) => {
            resolve(Number(line));
          },
        })
        .catch(reject);
    });
    expect(startOf(grandchild)).not.toBeNull();
    await processes.stopAll(5_000);
    await gone(grandchild);
  });

  it('is killed when it will not stop', async () => {
    const started = new Promise<void>((resolve, reject) => {
      processes
        .spawn({
          name: 'stubborn',
          command: 'sh',
          args: ['-c', 'trap "" TERM; echo ready; while :; do sleep 1000; done'],
          logFile: join(folder, 'stubborn.log'),
          onLine: () => {
            resolve();
          },
        })
        .catch(reject);
    });
    await started;
    await processes.stopAll(50);
  });

  it('is not started any more once everything was stopped', async () => {
    await processes.stopAll(0);
    const late = processes.spawn({
      name: 'late',
      command: 'sh',
      args: ['-c', 'echo too late >&2'],
      logFile: join(folder, 'late.log'),
    });
    await expect(late).rejects.toMatchObject({ code: 'Interrupted' });
    expect(await readFile(join(folder, 'late.log'), 'utf8')).toBe('');
  });
});

describe('the supervisor', () => {
  it('kills every group on its list when the command is gone', async () => {
    const supervisor = spawn(process.execPath, [packageFile('bin', 'supervisor.js'), '200'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const watched = spawn('sh', ['-c', 'trap "" TERM; echo deaf; while :; do sleep 1000; done'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    // Before that it would end at the first asking, and prove nothing.
    await once(watched.stdout, 'data');
    const released = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    supervisor.stdin.write(`+${watched.pid!}\n+${released.pid!}\n-${released.pid!}\n`);
    await once(supervisor.stdout, 'data');

    supervisor.stdin.end();
    const [, signal] = (await once(watched, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    expect(startOf(released.pid!)).not.toBeNull();
    released.kill('SIGKILL');
  });
});

describe('the error line of a stderr tail', () => {
  it('are the last error of a structured log, with its cause', () => {
    const log = [
      '{"level":30,"msg":"ready"}',
      '{"level":60,"msg":"the worker cannot continue","err":{"message":"no such topic"}}',
      'Node.js v20.20.2',
    ];
    expect(errorLine(log.join('\n'))).toBe('the worker cannot continue: no such topic');
  });

  it('are the sentence that the program ended with, below an error that it outlived', () => {
    const log = [
      '{"level":50,"msg":"passed over a message","err":{"message":"not valid"}}',
      'no Temporal server answers at 127.0.0.1:7233. Check that the server runs.',
    ];
    expect(errorLine(log.join('\n'))).toMatch(/^no Temporal server/);
  });

  it('are the line that sounds like an error, else the last line', () => {
    expect(errorLine('building\nERROR: no space left\nbye')).toBe('ERROR: no space left');
    expect(errorLine('one\ntwo\n')).toBe('two');
    expect(errorLine('')).toBe('');
  });

  it('are no line of a stack, also where the stack is all that fits', () => {
    const frame = '\tat org.apache.kafka.LocalLog.maybeHandleIOException(LocalLog.java:816)';
    expect(errorLine(`${frame}\n${frame}\nKafka is shutting down`)).toBe('Kafka is shutting down');
  });
});

/** Resolves when nobody has the process id any more, or only a dead process that is not buried yet. */
async function gone(pid: number): Promise<void> {
  while (startOf(pid) !== null) await new Promise(setImmediate);
}
