import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { packageFile } from '../../../cli/shared/package-root';

/** What a command says and ends with when Ctrl-C comes while it waits for a server that never answers. */
async function interruptedWhileAsking(): Promise<{ code: number | null; err: string }> {
  const silent = createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const child = spawn(
    process.execPath,
    [packageFile('bin', 'fedloop.js'), 'dashboard', 'preview', '--prometheus', `http://127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let err = '';
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  silent.once('connection', () => child.kill('SIGINT'));
  const [code] = (await once(child, 'close')) as [number | null];
  silent.closeAllConnections();
  silent.close();
  return { code, err };
}

it('Ctrl-C ends a command that waits for an answer, at once, with its own exit code and no word of failure', async () => {
  const began = performance.now();
  const { code, err } = await interruptedWhileAsking();
  expect(code).toBe(130);
  expect(err).toMatch(/stopped\n$/);
  expect(err).not.toMatch(/fail|error|\n {4}at /);
  // The query itself would be given up after half a minute.
  expect(performance.now() - began).toBeLessThan(20_000);
}, 30_000);
