import { rmSync } from 'node:fs';
import { type Client } from '@temporalio/client';
import { z } from 'zod';
import { queryWorker } from '../../cli/query/query-worker';
import { type FederatedRoundResult } from '../../core/contracts/rounds';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka } from '../../core/platform/kafka';
import { deploymentLog, forgeriesOf, sendRaw } from '../support/forgeries';
import { RoundSystem } from '../support/round-system';
import { eventually, RoundWatch } from '../support/round-watch';
import { keysOf, makeKeyFiles, type KeyFiles } from '../support/signing-keys';
import { processesIn, SOUND, soundnessOf } from '../support/soundness';

/* A fleet that has run without keys, is given some, and is then lied to by somebody who may write to its topic. */
const WAIT_MILLIS = 60_000;
const LEAVE_MILLIS = 25_000;
const ROLES = ['fleet', 'rounds', 'site', 'stream', 'analytics'] as const;
const TEST_MILLIS = 240_000;

jest.setTimeout(TEST_MILLIS);

let ours: KeyFiles;
let theirs: KeyFiles;
let system: RoundSystem;
let client: Client;
let kafka: Kafka;

beforeAll(async () => {
  ours = makeKeyFiles();
  theirs = makeKeyFiles();
  system = await RoundSystem.start({ devices: 60, speed: 60 });
  client = await system.client();
  kafka = await system.stream.connect();
}, TEST_MILLIS);

afterAll(async () => {
  await client.connection.close();
  await kafka.disconnect();
  await system.stop();
  for (const { folder } of [ours, theirs]) rmSync(folder, { recursive: true });
  expect(await processesIn(system.stream.folder)).toEqual([]);
}, 60_000);

/** All trust the key, and `rounds` alone has it. */
async function startWithKeys(): Promise<void> {
  const trusting = { FEDLOOP_TRUSTED_KEYS: ours.trusted };
  const signing = { ...trusting, FEDLOOP_SIGNING_KEY: ours.signing };
  await Promise.all(ROLES.map((role) => system.startWorker(role, role === 'rounds' ? signing : trusting)));
}

async function leaveAll(): Promise<void> {
  const codes = await Promise.all(ROLES.map((role) => system.leave(role, LEAVE_MILLIS)));
  expect(codes).toEqual(ROLES.map(() => 0));
}

/** A round whose candidate is promoted as soon as it was measured. */
async function promotion(id: string): Promise<FederatedRoundResult> {
  const rounds = new RoundWatch(client, WAIT_MILLIS);
  const gate = { minWindows: 1, margin: 1, measuredLoss: 1 };
  const result = await rounds.resultOf(await rounds.start(id, { participants: 20, windows: 2, gate }));
  expect(result).toMatchObject({ decision: 'promoted' });
  return result;
}

async function rowsOf<Row>(row: z.ZodType<Row>, sql: string): Promise<readonly Row[]> {
  return queryWorker({ url: system.urlOf('analytics'), token: undefined })(row, sql);
}

const letterRow = z.object({ topic: z.string(), reason: z.string(), n: z.int() });
const letters = (): Promise<readonly z.infer<typeof letterRow>[]> =>
  rowsOf(
    letterRow,
    'SELECT topic, reason, count(*)::INTEGER AS n FROM dead_letters GROUP BY ALL ORDER BY ALL',
  );

const versionRow = z.object({ version: z.string() });
const versionsOf = async (sql: string): Promise<readonly string[]> =>
  (await rowsOf(versionRow, sql)).map(({ version }) => version);

/** The warehouse reads the log a moment behind the round that wrote it. */
async function expectChampion(version: string): Promise<void> {
  await eventually(`${version} is the only champion`, WAIT_MILLIS, async () => {
    const seen = await versionsOf(
      "SELECT model_version AS version FROM model_versions WHERE stage = 'champion'",
    );
    return seen.join() === version ? { found: seen } : { seen: seen.join() };
  });
}

/** Versions of earlier rounds that stream workers have evaluated in the windows that a round was judged on. */
async function evaluatedBeside({ round, windows }: FederatedRoundResult): Promise<readonly string[]> {
  const versions = await versionsOf(
    `SELECT DISTINCT model_version AS version FROM evaluation_rows
     WHERE window_start >= make_timestamp(${windows.from}) AND window_start < make_timestamp(${windows.until}) ORDER BY ALL`,
  );
  const own = new RegExp(`^v${round}(-|$)`);
  return versions.filter((version) => !own.test(version));
}

async function refusedBy(): Promise<readonly string[]> {
  return Promise.all(
    ROLES.map(async (role) => {
      const text = await (await fetch(`${system.urlOf(role)}/metrics`)).text();
      const [, count] = /^fedloop_deployment_messages_refused(?:\{.*\})? (\S+)$/m.exec(text) ?? [];
      return `${role} ${count}`;
    }),
  );
}

async function expectRefused(count: number): Promise<void> {
  await eventually(`${count} refused by each worker`, WAIT_MILLIS, async () => {
    const refused = await refusedBy();
    return refused.every((text) => text.endsWith(` ${count}`))
      ? { found: refused }
      : { seen: refused.join(', ') };
  });
}

async function expectAside(count: number): Promise<void> {
  await eventually(`${count} messages put aside`, WAIT_MILLIS, async () => {
    const seen = await letters();
    const sum = seen.reduce((all, { n }) => all + n, 0);
    return sum >= count ? { found: seen } : { seen: JSON.stringify(seen) };
  });
}

async function expectHealthy(): Promise<void> {
  const health = await Promise.all(
    ROLES.map(async (role) => `${role} ${(await fetch(`${system.urlOf(role)}/healthz`)).status}`),
  );
  expect(health).toEqual(ROLES.map((role) => `${role} 200`));
}

it('goes on from what was deployed without keys, and takes in nothing that its key has not signed, also after a restart', async () => {
  const unsigned = await promotion('unsigned');
  await leaveAll();
  const before = (await deploymentLog(kafka)).length;
  const { code, out, err } = await system.stream.commandWith(
    { FEDLOOP_SIGNING_KEY: ours.signing, FEDLOOP_TRUSTED_KEYS: ours.trusted },
    'keys',
    'sign',
    '--json',
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toMatchObject({ dryRun: false, passedOver: 0 });
  await startWithKeys();
  await expectRefused(before);
  const first = await promotion('signed');
  expect(first.previousChampion.version).toBe(unsigned.version);
  expect(await letters()).toEqual([]);

  const strangers = await keysOf({ signing: theirs.signing });
  const forged = forgeriesOf(await deploymentLog(kafka), first.version, strangers);
  await sendRaw(system.stream.address, [...forged.unsigned, ...forged.sentAgain, ...forged.tombstones]);
  const aside = [
    { topic: TOPICS.deployments.name, reason: 'invalid', n: forged.sentAgain.length },
    { topic: TOPICS.deployments.name, reason: 'unsigned', n: forged.unsigned.length },
  ];
  const refused = forged.unsigned.length + forged.sentAgain.length;
  await expectRefused(before + refused);
  await expectAside(refused);
  await expectHealthy();
  await expectChampion(first.version);
  const second = await promotion('after-forgeries');
  expect(second.previousChampion.version).toBe(first.version);
  expect(await evaluatedBeside(second)).toEqual([unsigned.version, first.version].sort());

  await leaveAll();
  await startWithKeys();
  await expectRefused(before + refused);
  await expectHealthy();
  const third = await promotion('after-restart');
  expect(third.previousChampion.version).toBe(second.version);
  expect(await evaluatedBeside(third)).toEqual([first.version, second.version].sort());
  await expectChampion(third.version);
  expect(await letters()).toEqual(aside);

  expect(await soundnessOf(system)).toEqual(SOUND);
});
