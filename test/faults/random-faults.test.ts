import { type Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WorkerRole } from '../../cli/system/worker-process';
import { type Random, seededRandom } from '../../core/platform/random';
import { type FaultyNetwork } from '../support/faulty-network';
import { RoundSystem } from '../support/round-system';
import { roundsInTurn } from '../support/rounds-in-turn';
import { RoundWatch } from '../support/round-watch';
import { processesIn, SOUND, soundnessOf } from '../support/soundness';

/**
 * A whole system whose rounds go on one after the other while its workers and servers are killed, frozen and sent away at random moments.
 * A run of all tests takes a few faults; `npm run test:faults -- --hours 1` goes on for as long as it is told, in another order with
 * each seed.
 */
const SEED = Number(process.env['FEDLOOP_FAULT_SEED'] ?? 1);
const HOURS = Number(process.env['FEDLOOP_FAULT_HOURS'] ?? 0);
const FEW_FAULTS = 5;
/** Longer than the session time-out of the system's groups (4 s), so that others take over. */
const AWAY_MILLIS = 6_000;
/** A fault comes at a random moment of so many milliseconds: in any step of a round, and in any window. */
const BETWEEN_MILLIS = 4_000;
/** A step that was lost is tried again after its heartbeat time-out of 20 or 30 s. Under several faults that comes more than once. */
const ROUND_MILLIS = 240_000;
const LEAVE_MILLIS = 30_000;
const TEST_MILLIS = HOURS * 3_600_000 + 2 * ROUND_MILLIS + 120_000;
const ROLES = ['rounds', 'site', 'stream', 'analytics', 'fleet'] as const satisfies readonly WorkerRole[];

jest.setTimeout(TEST_MILLIS);

type Fault = (system: RoundSystem, random: Random) => Promise<string>;

const roleOf = (random: Random): WorkerRole => ROLES[random.below(ROLES.length)] ?? 'stream';

const killOne: Fault = async (system, random) => {
  const role = roleOf(random);
  system.kill(role);
  await system.startWorker(role);
  return `kill ${role}`;
};
const killAll: Fault = async (system) => {
  for (const role of ROLES) system.kill(role);
  await Promise.all(ROLES.map((role) => system.startWorker(role)));
  return 'kill all workers';
};
const freeze: Fault = async (system, random) => {
  const role = roleOf(random);
  await system.freeze(role, AWAY_MILLIS);
  return `freeze ${role}`;
};
const leave: Fault = async (system, random) => {
  const role = roleOf(random);
  await system.leave(role, LEAVE_MILLIS);
  await system.startWorker(role);
  return `restart ${role}`;
};
const brokerAway: Fault = async (system, random) => {
  const how = random.below(2) === 0 ? 'killed' : 'stopped';
  await system.stream.restartBroker(how, random.below(AWAY_MILLIS));
  return `broker ${how}`;
};
const temporalAway: Fault = async (system, random) => {
  await system.temporalAway(random.below(AWAY_MILLIS));
  return 'Temporal killed';
};
/** Every client's connections, to Kafka or to Temporal. */
const badNetwork: Fault = async (system, random) => {
  const isKafka = random.below(2) === 0;
  const network: FaultyNetwork | undefined = isKafka ? system.stream.network : system.network;
  const is = (['resetting', 'cutting', 'black hole'] as const)[random.below(3)] ?? 'resetting';
  await network?.be({ is }, random.below(AWAY_MILLIS));
  return `network to ${isKafka ? 'Kafka' : 'Temporal'} ${is}`;
};
/** A kill is what happens most. */
const FAULTS: readonly Fault[] = [
  killOne,
  killOne,
  killOne,
  killAll,
  freeze,
  leave,
  brokerAway,
  temporalAway,
  badNetwork,
];

it(`keeps every row, and measures what it promotes, through random faults (seed ${SEED})`, async () => {
  // A window a second: live windows last as long as the test needs them to.
  const system = await RoundSystem.start({ devices: 60, speed: 30 }, 'faulty network');
  const client: Client = await system.client();
  const random = seededRandom(SEED, 'random faults');
  const stop = new AbortController();
  const history: string[] = [];
  try {
    const rounds = roundsInTurn(new RoundWatch(client, ROUND_MILLIS), stop.signal);
    rounds.catch(() => undefined);
    const over = Date.now() + HOURS * 3_600_000;
    while (history.length < FEW_FAULTS || Date.now() < over) {
      await Promise.race([sleep(random.below(BETWEEN_MILLIS)), rounds]);
      const fault = FAULTS[random.below(FAULTS.length)] ?? killOne;
      const begun = new Date().toISOString();
      history.push(`${begun} ${await fault(system, random)}`);
      if (HOURS > 0) process.stderr.write(`${history.at(-1)}\n`);
    }
    stop.abort();
    const ended = await rounds;
    if (HOURS > 0) process.stderr.write(`${history.length} faults, ${ended} rounds\n`);
    expect({ ...(await soundnessOf(system)), history }).toEqual({ ...SOUND, history });
    expect(ended).toBeGreaterThan(0);
  } finally {
    stop.abort();
    await client.connection.close();
    await system.stop();
  }
  expect(await processesIn(system.stream.folder)).toEqual([]);
});
