import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../cli/shared/package-root';

/** Two programs start on a busy machine. */
jest.setTimeout(60_000);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-output-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Run a line of shell in which `$fedloop` is the command. */
function shell(line: string): Promise<{ readonly code: number; readonly err: string }> {
  const fedloop = `'${process.execPath}' '${packageFile('bin', 'fedloop.js')}'`;
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', `fedloop="${fedloop}"; ${line}`], { cwd: folder }, (failed, _, err) => {
      resolve({ code: Number(failed?.code ?? 0), err });
    });
  });
}

describe('output into a file that takes no more', () => {
  it('ends the command with 2 and says why', async () => {
    const { code, err } = await shell('eval $fedloop strategies > /dev/full');
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringContaining('the disk of standard output is full') as string,
    });
  });

  it('is noticed also where its last write was cut short', async () => {
    // One block of 512 bytes; a file that would grow larger is cut there.
    const { code, err } = await shell("trap '' XFSZ; ulimit -f 1; eval $fedloop strategies > cut.txt");
    expect((await readFile(join(folder, 'cut.txt'))).length).toBeLessThanOrEqual(1_024);
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringContaining('the output could not be written to its end') as string,
    });
  });

  it('is no error of a pipe whose reader has had enough', async () => {
    expect(await shell('eval $fedloop help | head -1 > /dev/null')).toEqual({ code: 0, err: '' });
  });
});
