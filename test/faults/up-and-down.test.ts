import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isAlive, startOf, type ProcessId } from '../../cli/processes/identity';
import { findRunning, runningSystemSchema, type RunningSystem } from '../../cli/system/running';
import { seededRandom } from '../../core/platform/random';
import { runFedloop } from '../support/run-fedloop';
import { processesIn } from '../support/soundness';
import { expectGone, GONE_MILLIS, withoutSharedServers } from '../support/system-processes';

/**
 * A system under `fedloop up` whose processes are killed, one after the other, at random moments. A run of all tests kills a few;
 * `npm run test:faults -- --kind up` kills each of them so many times.
 */
const TIMES = Number(process.env['FEDLOOP_FAULT_TIMES'] ?? 0);
const SEED = Number(process.env['FEDLOOP_FAULT_SEED'] ?? 1);
const FEW = ['site', 'Prometheus'];
const statusSchema = z.object({ lag: z.number(), processes: z.array(z.object({ up: z.boolean() })) });

/** From a kill to a system that is whole again. */
const WHOLE_MILLIS = 30_000;
/** Starting two servers and five workers on a busy machine, twice. */
const UP_MILLIS = 240_000;
/** A kill comes at a random moment of so many milliseconds after the system was whole. */
const BETWEEN_MILLIS = 4_000;
/** Two servers and five workers; Prometheus only where it is installed. */
const PROCESSES = 7;

jest.setTimeout(2 * UP_MILLIS + 2 * GONE_MILLIS + Math.max(1, TIMES) * 9 * 2 * WHOLE_MILLIS);

let folder: string;
let stranger: ChildProcess;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-keeps-'));
  stranger = spawn('sleep', ['100000'], { stdio: 'ignore' });
});
afterEach(async () => {
  await fedloop('down');
  stranger.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('what is up outlives its command, keeps what is killed, stops with down, goes on as it was, and leaves nothing behind when its daemon is killed', async () => {
  const system = await up('--fleet', '--devices', '60');
  const other: ProcessId = { pid: stranger.pid ?? 0, started: startOf(stranger.pid ?? 0) };
  expect(system.processes.every(isAlive)).toBe(true);
  const second = await fedloop('up');
  expect(second.err).toContain('a system runs in this folder already');
  expect(await readdir(join(folder, 'runs'))).toEqual([system.id]);
  const status = statusSchema.parse(JSON.parse((await fedloop('status', '--json')).out));
  expect(status).toMatchObject({ lag: 0 });
  expect(status.processes.every((one) => one.up)).toBe(true);

  const after = await killSome(system);
  expect(placesOf(after)).toEqual(placesOf(system));
  expect((await fedloop('down')).out).toContain(`stopped run ${system.id}`);
  await expectGone(after, PROCESSES);
  const again = await fedloop('down');
  expect([again.code, again.out]).toEqual([0, 'nothing is running in this folder\n']);

  const larger = await fedloop('up', '--resume', system.id, '--devices', '70');
  expect(larger.err).toContain(`run ${system.id} had a simulated fleet with --devices 60`);
  const resumed = await up('--resume', system.id);
  expect([resumed.id, placesOf(resumed)]).toEqual([system.id, placesOf(system)]);
  process.kill(resumed.pid, 'SIGKILL');
  await expectGone(resumed, PROCESSES);
  expect((await fedloop('status')).err).toContain('no system is running in this folder');
  expect(await processesIn(folder)).toEqual([]);
  expect(isAlive(other)).toBe(true);
});

/** Kill processes one by one, and wait each time until the system is whole. */
async function killSome(system: RunningSystem): Promise<RunningSystem> {
  const names = system.processes.map(({ name }) => name);
  const random = seededRandom(SEED, 'kills under up');
  const kills = TIMES === 0 ? FEW.filter((name) => names.includes(name)) : shuffled(names, random);
  const took: Record<string, number[]> = {};
  for (const name of kills) {
    if (TIMES > 0) await sleep(random.below(BETWEEN_MILLIS));
    const seconds = await killed(name);
    (took[name] ??= []).push(seconds);
    if (TIMES > 0)
      process.stderr.write(`${new Date().toISOString()} kill ${name}: whole again after ${seconds} s\n`);
  }
  if (TIMES > 0) process.stderr.write(`${JSON.stringify(summaryOf(took))}\n`);
  const after = await here();
  expect(after.processes.map(({ name, restarts }) => [name, restarts])).toEqual(
    names.map((name) => [name, took[name]?.length ?? 0]),
  );
  return after;
}

/** Each of them so many times, in any order. */
function shuffled(names: readonly string[], random: ReturnType<typeof seededRandom>): readonly string[] {
  const all = Array.from({ length: TIMES }, () => names).flat();
  return all
    .map((name) => ({ name, place: random.uniform() }))
    .sort((a, b) => a.place - b.place)
    .map(({ name }) => name);
}

/** Kill a process. @returns seconds until everything works again; fails when that takes too long. */
async function killed(name: string): Promise<number> {
  const victim = (await here()).processes.find((known) => known.name === name);
  if (victim === undefined) throw new Error(`there is no ${name}`);
  const began = performance.now();
  process.kill(victim.pid, 'SIGKILL');
  let trouble = '';
  while (performance.now() - began < WHOLE_MILLIS) {
    trouble = await troubleOf({ name, restarts: victim.restarts + 1 });
    if (trouble === '') return Math.round((performance.now() - began) / 100) / 10;
    await sleep(200);
  }
  throw new Error(`${WHOLE_MILLIS / 1_000} s after ${name} was killed: ${trouble}`);
}

const partitionsSchema = z.object({ partitions: z.array(z.object({ partition: z.int() })) });

/** What does not work; empty while everything does: processes, workers' health, partitions, metrics. */
async function troubleOf(expected: { readonly name: string; readonly restarts: number }): Promise<string> {
  const system = await here();
  const victim = system.processes.find(({ name }) => name === expected.name);
  if (victim?.restarts !== expected.restarts)
    return `${expected.name} has ${victim?.restarts ?? 'no'} restarts, and ${expected.restarts} are expected; ${victim?.trouble ?? 'no trouble is known'}`;
  const gone = system.processes.filter((one) => !isAlive(one)).map(({ name }) => name);
  if (gone.length > 0) return `${gone.join(', ')} gone`;
  for (const { role, url } of system.workers) {
    const said = await textAt(`${url}/healthz`);
    if (said !== 'ok\n') return `${role}: ${said}`;
  }
  if (system.prometheusUrl !== null && (await textAt(`${system.prometheusUrl}/-/ready`)) === '')
    return 'Prometheus is not ready';
  const stream = system.workers.find(({ role }) => role === 'stream');
  const read = partitionsSchema.safeParse(JSON.parse((await textAt(`${stream?.url ?? ''}/status`)) || '{}'));
  return read.success && read.data.partitions.length === PARTITIONS ? '' : 'partitions are not read';
}

/** FEDLOOP_PARTITIONS by default. */
const PARTITIONS = 4;

/** Empty when nobody answers. */
async function textAt(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  return response?.ok === true ? response.text() : '';
}

function placesOf({ kafka, temporal, prometheusUrl, workers }: RunningSystem): unknown {
  return { kafka, temporal, prometheusUrl, workers: workers.map(({ role, url }) => [role, url]).sort() };
}

function summaryOf(took: Readonly<Record<string, readonly number[]>>): unknown {
  return Object.fromEntries(
    Object.entries(took).map(([name, seconds]) => [
      name,
      {
        kills: seconds.length,
        longest: Math.max(...seconds),
        median: [...seconds].sort((a, b) => a - b)[seconds.length >> 1],
      },
    ]),
  );
}

async function here(): Promise<RunningSystem> {
  const system = await findRunning(folder);
  if (system === undefined) throw new Error('the system is gone');
  return system;
}

async function up(...options: readonly string[]): Promise<RunningSystem> {
  const { out, err } = await fedloop('up', '--json', ...options);
  try {
    return runningSystemSchema.parse(JSON.parse(out));
  } catch (cause) {
    throw new Error(`the system did not come up:\n${err}`, { cause });
  }
}

function fedloop(...words: readonly string[]) {
  return runFedloop(words, { cwd: folder, env: withoutSharedServers() });
}
