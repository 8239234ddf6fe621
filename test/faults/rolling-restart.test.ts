import { rmSync } from 'node:fs';
import { type Client } from '@temporalio/client';
import { type WorkerRole } from '../../cli/system/worker-process';
import { roundsInTurn } from '../support/rounds-in-turn';
import { RoundSystem } from '../support/round-system';
import { RoundWatch } from '../support/round-watch';
import { makeKeyFiles } from '../support/signing-keys';
import { processesIn, SOUND, soundnessOf } from '../support/soundness';

/**
 * A release comes to a system under load: one worker after the other is told to go, and started anew when it has gone, while a fleet sends and rounds
 * follow one another. FEDLOOP_FAULT_TIMES says how often.
 */
const TIMES = Number(process.env['FEDLOOP_FAULT_TIMES'] ?? 1);
const ROLES = ['stream', 'analytics', 'site', 'rounds', 'fleet'] as const satisfies readonly WorkerRole[];
/** A worker gives up after 20 s, and is then ended without having written what it holds. */
const LEAVE_MILLIS = 25_000;
/** A round waits for each worker until it is back. */
const ROUND_MILLIS = 120_000;
const TEST_MILLIS = 180_000 + TIMES * ROLES.length * 30_000;

jest.setTimeout(TEST_MILLIS);

it('loses no row and no round when every worker is stopped and started anew, one after the other', async () => {
  // A window a second, and a thousand events. Keys, so that a fleet which has had them from its start is seen at work as well.
  const keys = makeKeyFiles();
  const system = await RoundSystem.start({ devices: 120, speed: 30 }, 'cable', keys);
  const client: Client = await system.client();
  const stop = new AbortController();
  try {
    const rounds = roundsInTurn(new RoundWatch(client, ROUND_MILLIS), stop.signal);
    rounds.catch(() => undefined);
    for (let time = 0; time < TIMES; time += 1)
      for (const role of ROLES) {
        const code = await Promise.race([system.leave(role, LEAVE_MILLIS), rounds]);
        expect({ role, code }).toEqual({ role, code: 0 });
        await system.startWorker(role);
      }
    stop.abort();
    expect(await rounds).toBeGreaterThan(0);
    expect(await soundnessOf(system)).toEqual(SOUND);
  } finally {
    stop.abort();
    await client.connection.close();
    await system.stop();
    rmSync(keys.folder, { recursive: true });
  }
  expect(await processesIn(system.stream.folder)).toEqual([]);
});
