import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../cli/shared/package-root';
import { makeKeyFiles, type KeyFiles } from '../../support/signing-keys';

// Needs the build. Processes wait for a broker that is not there, on a busy machine.
jest.setTimeout(60_000);

/** Nothing listens there. */
const NOBODY = '127.0.0.1:9';
/** Made up, and found again wherever they were told. */
const SECRETS = {
  KAFKA_SASL_PASSWORD: 'secret-of-sasl-4711',
  KAFKA_KEY_PASSWORD: 'secret-of-key-4712',
  KAFKA_OAUTH_CLIENT_SECRET: 'secret-of-oauth-4713',
  FEDLOOP_MQTT_PASSWORD: 'secret-of-mqtt-4714',
  FEDLOOP_SQL_TOKEN: 'secret-of-sql-4715-0',
  TEMPORAL_API_KEY: 'secret-of-temporal-4716',
};

let folder: string;
let keys: KeyFiles;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-secrets-'));
  keys = makeKeyFiles();
});
afterAll(() => {
  for (const path of [folder, keys.folder]) rmSync(path, { recursive: true });
});

interface Told {
  readonly code: number | null;
  /** stdout and stderr, what `ps` shows, and every file that was written. */
  readonly text: string;
}

/** Run a program of the build and collect all that others can read of it. */
async function toldBy(
  program: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Told> {
  const cwd = mkdtempSync(join(folder, 'run-'));
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    FEDLOOP_LOG_LEVEL: 'trace',
    ...SECRETS,
    FEDLOOP_SIGNING_KEY: keys.signing,
    ...variables,
  };
  const child = spawn(process.execPath, program, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (text += part.toString()));
  const look = setInterval(() => {
    try {
      text += readFileSync(`/proc/${child.pid ?? 0}/cmdline`, 'utf8');
    } catch {
      // It has ended, or this system has no such files.
    }
  }, 100);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(look);
  for (const file of readdirSync(cwd, { recursive: true, encoding: 'utf8' }))
    if (statSync(join(cwd, file)).isFile()) text += readFileSync(join(cwd, file), 'latin1');
  return { code, text };
}

const worker = (role: string): readonly string[] => [packageFile('dist', 'workers', 'main.js'), role];
const command = (...words: readonly string[]): readonly string[] => [
  packageFile('bin', 'fedloop.js'),
  ...words,
];

describe('secrets in the environment', () => {
  const sasl = {
    KAFKA_BROKERS: NOBODY,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'alice',
    KAFKA_KEY_PASSWORD: '',
  };

  it.each([
    ['a worker without a broker', worker('analytics'), sasl, /no Kafka broker answers/],
    [
      'a worker with a mechanism that is none',
      worker('stream'),
      { ...sasl, KAFKA_SASL_MECHANISM: 'magic' },
      /KAFKA_SASL_MECHANISM/,
    ],
    [
      'a worker with a token that is none',
      worker('analytics'),
      { ...sasl, FEDLOOP_SQL_TOKEN: 'short-4717 x' },
      /FEDLOOP_SQL_TOKEN/,
    ],
    ['a command without a broker', command('keys', 'sign', '--verbose'), sasl, /no Kafka broker answers/],
    ['a command that looks at everything', command('doctor'), sasl, /./],
    [
      'a command with half a login',
      command('--verbose', 'rejects', 'list'),
      { KAFKA_BROKERS: NOBODY },
      /needs KAFKA_/,
    ],
  ])('are not told by %s', async (_, program, variables, says) => {
    const { code, text } = await toldBy(program, variables);
    expect(code).not.toBe(0);
    expect(text).toMatch(says);
    const pem = keys.privatePem.split('\n')[1]!;
    for (const secret of [...Object.values(SECRETS), 'short-4717', pem]) expect(text).not.toContain(secret);
  });

  it('are not told where a key stands in place of its file', async () => {
    const path = join(keys.folder, 'broken.pem');
    const pem = keys.privatePem.split('\n')[1]!;
    writeFileSync(path, keys.privatePem.replace('BEGIN PRIVATE', 'BEGIN SOME'));
    for (const own of [keys.privatePem, path]) {
      const { code, text } = await toldBy(worker('rounds'), {
        KAFKA_BROKERS: NOBODY,
        FEDLOOP_SIGNING_KEY: own,
        KAFKA_SASL_PASSWORD: '',
        KAFKA_KEY_PASSWORD: '',
        KAFKA_OAUTH_CLIENT_SECRET: '',
      });
      expect(code).toBe(2);
      expect(text).toContain('FEDLOOP_SIGNING_KEY');
      expect(text).not.toContain(pem);
    }
  });
});
