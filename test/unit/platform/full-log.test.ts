import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../cli/shared/package-root';
import { describeWith, MOUNT } from '../../support/requirements';
import { SmallDisk } from '../../support/small-disk';

/** Logs for a while, then ends as a worker does. */
const PROGRAM = `
const { createLogger } = require(process.argv[1]);
const log = createLogger('test', 'info');
let lines = 0;
setInterval(() => {
  log.info('x'.repeat(2_000));
  lines += 1;
  if (lines === Number(process.argv[2])) process.exit(0);
}, 5);
`;
const TOO_LONG_MILLIS = 15_000;

jest.setTimeout(2 * TOO_LONG_MILLIS);

describeWith(MOUNT, 'a log on a disk that is full', () => {
  let folder: string;
  let disk: SmallDisk;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fedloop-log-'));
    disk = SmallDisk.mount(join(folder, 'logs'), 1);
  });
  afterEach(() => {
    disk.unmount();
    rmSync(folder, { recursive: true });
  });

  const file = (): string => join(disk.folder, 'log');

  /** @returns the status that the program ended with. */
  async function run(lines: number, meanwhile: () => void): Promise<unknown> {
    const log = openSync(file(), 'a');
    const built = packageFile('dist', 'core', 'platform', 'log.js');
    const child = spawn(process.execPath, ['-e', PROGRAM, built, String(lines)], {
      stdio: ['ignore', 'ignore', log],
      timeout: TOO_LONG_MILLIS,
      killSignal: 'SIGKILL',
    });
    closeSync(log);
    const timer = setTimeout(meanwhile, 1_000);
    const [code] = (await once(child, 'exit')) as [unknown];
    clearTimeout(timer);
    return code;
  }

  it('neither ends its process nor keeps it from ending', async () => {
    disk.fill();
    expect(await run(200, () => undefined)).toBe(0);
  });

  it('is gone on with when there is space, and says that there was none', async () => {
    disk.fill();
    const code = await run(400, () => {
      disk.free();
    });
    expect(code).toBe(0);
    expect(readFileSync(file(), 'utf8')).toContain('the log could not be written for a while');
  });
});
