import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startOf } from '../../../cli/processes/identity';
import { silentProgress } from '../../../cli/progress';
import { forgetRunning, writeRunning, type RunningSystem } from '../../../cli/system/running';
import { FollowedSystem } from '../../../cli/temporal/followed-system';
import { runningEntry } from '../../support/running-entry';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-followed-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const SYSTEM = runningEntry({ pid: process.pid, started: startOf(process.pid) });
/** Its command was killed. */
const DEAD: RunningSystem = { ...SYSTEM, started: 'long ago' };

/** @param onNote is called when the system is seen to have ended. */
async function follow(
  temporalAwayMillis: number,
  onNote: (line: string) => void = () => undefined,
): Promise<{ followed: FollowedSystem; stopped: Promise<never> }> {
  await writeRunning(folder, SYSTEM);
  const limits = { temporalAwayMillis, progressPollMillis: 1 };
  const session = { folder, progress: { ...silentProgress, note: onNote } };
  const followed = new FollowedSystem(session, SYSTEM, 'the round', limits);
  const stopped = followed.stopped();
  stopped.catch(() => undefined);
  return { followed, stopped };
}

const ENDED = {
  code: 'ServerUnavailable',
  hint: 'Resume it with `fedloop up --resume run-1`; `fedloop watch` follows it then.',
};

describe('who waits for a system', () => {
  it('stops waiting at once when the system is stopped, or another one runs there', async () => {
    for (const change of [
      () => forgetRunning(folder, process.pid),
      () => writeRunning(folder, { ...SYSTEM, id: 'run-2' }),
    ]) {
      const { stopped } = await follow(60_000);
      await change();
      await expect(stopped).rejects.toMatchObject({
        ...ENDED,
        message: 'the system of run run-1 was stopped; the round goes on when it is resumed',
      });
    }
  });

  it('goes on at the new address when a system that was killed is resumed', async () => {
    let noted: (line: string) => void = () => undefined;
    const said = new Promise<string>((resolve) => (noted = resolve));
    const { followed } = await follow(60_000, (line) => {
      noted(line);
    });
    await writeRunning(folder, DEAD);
    expect(await said).toBe('The system has ended; the round goes on when it is resumed.');
    // While it is brought up again.
    await forgetRunning(folder, process.pid);
    await sleep(20);
    await writeRunning(folder, { ...SYSTEM, temporal: { ...SYSTEM.temporal, address: '127.0.0.1:3' } });
    while (followed.now.temporal.address !== '127.0.0.1:3') await new Promise(setImmediate);
    followed.close();
  });

  it('gives up when it does not come back', async () => {
    const { stopped } = await follow(0);
    await writeRunning(folder, DEAD);
    await expect(stopped).rejects.toMatchObject({
      ...ENDED,
      message: 'the system of run run-1 has ended; the round goes on when it is resumed',
    });
  });
});
