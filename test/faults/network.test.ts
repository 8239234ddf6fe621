import { type Client } from '@temporalio/client';
import { type WorkerRole } from '../../cli/system/worker-process';
import { type Weather } from '../support/faulty-network';
import { roundsInTurn } from '../support/rounds-in-turn';
import { RoundSystem } from '../support/round-system';
import { eventually, RoundWatch } from '../support/round-watch';
import { processesIn, SOUND, soundnessOf } from '../support/soundness';

/**
 * A whole system whose rounds go on one after the other while the network between its workers and both servers is slow, cuts, resets, swallows and
 * forgets. FEDLOOP_FAULT_TIMES asks for so many of each fault.
 */
const EACH = Number(process.env['FEDLOOP_FAULT_TIMES'] ?? 1);
const BAD_MILLIS = 4_000;
/** Workers give up a silent connection after 15 s. A request may have been sent when the last one was answered. */
const NOTICED_MILLIS = 25_000;
/** From clear weather on: the longest pause between two attempts, a group's session, and a busy machine. */
const BACK_MILLIS = 30_000;
/** A step that was lost is tried again after its heartbeat time-out of 20 or 30 s. Under several faults that comes more than once. */
const ROUND_MILLIS = 240_000;
const ROLES = ['rounds', 'site', 'stream', 'analytics', 'fleet'] as const satisfies readonly WorkerRole[];
const TEST_MILLIS = 300_000 + EACH * 240_000;

jest.setTimeout(TEST_MILLIS);

let system: RoundSystem;
let client: Client;
let rounds: Promise<number>;
let ended = 0;
const stop = new AbortController();

beforeAll(async () => {
  // A window a second: live windows last as long as the test needs them to.
  system = await RoundSystem.start({ devices: 60, speed: 30 }, 'faulty network');
  client = await system.client();
  rounds = roundsInTurn(new RoundWatch(client, ROUND_MILLIS), stop.signal, (count) => {
    ended = count;
  });
  rounds.catch(() => undefined);
});

afterAll(async () => {
  stop.abort();
  await client.connection.close();
  await system.stop();
  expect(await processesIn(system.stream.folder)).toEqual([]);
});

const times = Array.from({ length: EACH }, (_, index) => index + 1);
/** Cut answers are the worst of them: a run of all tests takes these alone. */
const BAD: readonly Weather[] = [
  { is: 'cutting' },
  ...(process.env['FEDLOOP_FAULT_TIMES'] === undefined
    ? []
    : [{ is: 'slow', latencyMillis: 50, bytesPerSecond: 200_000 } as const, { is: 'resetting' } as const]),
];

describe.each(times)('a system goes on by itself (%i)', (time) => {
  it.each(BAD)('after a network that was $is', async (weather) => {
    await Promise.all([
      system.network?.be(weather, BAD_MILLIS),
      system.stream.network?.be(weather, BAD_MILLIS),
    ]);
    await goesOn(`${weather.is} (${time})`);
  });

  it('after a network has forgotten all connections to Kafka, which nobody has closed', async () => {
    system.stream.network?.forget();
    await goesOn(`forgotten (${time})`);
  });

  it.each([
    ['Kafka', ROLES],
    // The stream worker evaluates without Temporal, and the fleet does not know it.
    ['Temporal', ['rounds', 'site', 'analytics'] as const],
  ] as const)(
    'after a network that let nothing through to %s, which every worker that needs it has noticed and said',
    async (server, roles) => {
      const network = server === 'Kafka' ? system.stream.network : system.network;
      const begun = performance.now();
      network?.become({ is: 'black hole' });
      await Promise.all(roles.map((role) => saying(role, 'does not answer', NOTICED_MILLIS)));
      const noticed = performance.now();
      network?.become({ is: 'clear' });
      await Promise.all(roles.map((role) => saying(role, 'ok', BACK_MILLIS)));
      report(`${server} noticed (${time})`, noticed - begun);
      await goesOn(`black hole before ${server} (${time})`);
    },
  );
});

it('has kept every row through all of it, and measured what it promoted', async () => {
  stop.abort();
  expect(await rounds).toBeGreaterThan(0);
  expect(await soundnessOf(system)).toEqual(SOUND);
});

/** A round that began under the fault ends, and all workers are well. */
async function goesOn(what: string): Promise<void> {
  const before = ended;
  const begun = performance.now();
  const look = (): Promise<{ found: true } | { seen: string }> =>
    Promise.resolve(ended > before ? { found: true } : { seen: `${ended} rounds` });
  await Promise.race([eventually(`a round after ${what}`, ROUND_MILLIS, look), rounds]);
  await Promise.all(ROLES.map((role) => saying(role, 'ok', BACK_MILLIS)));
  report(`a round's end after ${what}`, performance.now() - begun);
}

function saying(role: WorkerRole, what: string, millis: number): Promise<string> {
  return eventually(`${role} says "${what}"`, millis, async () => {
    const response = await fetch(new URL('/healthz', system.urlOf(role)));
    const said = (await response.text()).trim();
    return said.includes(what) ? { found: said } : { seen: said };
  });
}

/** Figures for a run by hand. */
function report(what: string, millis: number): void {
  if (process.env['FEDLOOP_FAULT_TIMES'] === undefined) return;
  process.stderr.write(`${what}: ${(millis / 1_000).toFixed(1)} s\n`);
}
