import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examine } from '../../../cli/status/doctor';
import { silentProgress } from '../../../cli/progress';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-doctor-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What the doctor finds in a folder, by the name of what it looked at. */
async function findings(env: NodeJS.ProcessEnv, where = folder) {
  const session = {
    progress: silentProgress,
    signal: new AbortController().signal,
    env,
    folder: where,
    out: () => undefined,
  };
  const found = await examine(session);
  return new Map(found.map((finding) => [finding.name, finding]));
}

describe('the doctor', () => {
  it('misses Java where there is none, and says how to get one or do without', async () => {
    const found = await findings({ PATH: folder, FEDLOOP_CACHE: join(folder, 'cache') });
    expect(found.get('Java')).toMatchObject({
      state: 'missing',
      advice: expect.stringMatching(/Install Java 17.*KAFKA_BROKERS/) as string,
    });
    expect(found.get('Maven')?.state).toBe('missing');
  });

  it('says which versions it has found', async () => {
    const { PATH = '' } = process.env;
    expect((await findings({ PATH })).get('Java')?.text).toMatch(/, version \d+/);
  });

  it('tries to write where runs would be kept, and leaves nothing there', async () => {
    expect((await findings({})).get('folder')?.state).toBe('fine');
    expect(await readdir(folder)).toEqual([]);
    expect((await findings({}, '/proc')).get('folder')).toMatchObject({ state: 'missing' });
  });

  it('misses a broker and a server that the environment names and that do not answer', async () => {
    const found = await findings({ KAFKA_BROKERS: '127.0.0.1:1', TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect([found.get('Kafka')?.state, found.get('Temporal')?.state]).toEqual(['missing', 'missing']);
    // Each is given five seconds to answer.
  }, 30_000);
});
