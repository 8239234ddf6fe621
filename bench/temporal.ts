import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Command } from 'commander';
import { participants, wholeNumber } from '../cli/shared/options';
import { listOf } from './support/options';
import { findRunning, type RunningSystem } from '../cli/system/running';
import { cacheFolder } from '../cli/servers/cache';
import { DEFAULT_FLEET } from '../core/contracts/ids';
import { fleetNames } from '../core/contracts/queues';
import { growthOf, trainingRunCostOf } from './temporal/growth';
import { costOf } from './temporal/history';
import { render, type Result } from './temporal/tables';
import { describeMachine, writeResults } from './support/results';

/**
 * `npm run bench:temporal`: what a round costs Temporal (events, payloads, actions, time), read from the histories of a real run: a demo with
 * the stream, the fleet and every worker running on this machine.
 */
interface Options {
  readonly devices: readonly number[];
  readonly rounds: number;
  readonly windows: number;
  readonly history: number;
  readonly participants: number | 'all';
  readonly json: boolean;
}

const POLL_MS = 200;
const FEDLOOP = resolve(__dirname, '../../bin/fedloop.js');
const DATA = resolve(__dirname, '../../data/weather');

const program = new Command('bench:temporal')
  .description('Events, payload bytes, actions and time of real rounds, read from their histories.')
  .option('--devices <n,…>', 'sizes of the fleet', listOf(wholeNumber(1)), [2_407])
  .option('--rounds <n>', 'rounds of each', wholeNumber(1), 3)
  .option('--windows <n>', 'live windows that a candidate is judged on', wholeNumber(1, 1_000), 6)
  .option('--history <n>', 'windows of the past that each device has', wholeNumber(25, 100_000), 361)
  .option('--participants <n|all>', 'devices that train in a round', participants, 'all')
  .option('--json', 'print the results as JSON', false);

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const results: Result[] = [];
  for (const devices of options.devices) results.push({ devices, ...(await measure(devices, options)) });
  const measured = { results: results.map((result) => ({ ...result, growth: growthOf(result.rounds) })) };
  const path = await writeResults('temporal', { machine: describeMachine(), ...measured }, new Date());
  process.stdout.write(
    options.json ? `${JSON.stringify(results, null, 2)}\n` : `${render(results)}\n${path}\n`,
  );
}

async function measure(
  devices: number,
  { rounds, windows, history, participants: training }: Options,
): Promise<Omit<Result, 'devices'>> {
  const folder = await mkdtemp(join(tmpdir(), 'fedloop-bench-temporal-'));
  const demo = spawn(
    process.execPath,
    [
      FEDLOOP,
      'demo',
      '--stay',
      '--json',
      '--devices',
      String(devices),
      '--rounds',
      String(rounds),
      '--windows',
      String(windows),
      '--history',
      String(history),
      '--participants',
      String(training),
      '--data',
      DATA,
    ],
    {
      cwd: folder,
      env: { ...process.env, FEDLOOP_CACHE: cacheFolder() },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  demo.stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const ended = new Promise<number | null>((done) => demo.once('exit', done));
  try {
    while (!said.includes('stays up')) {
      if (demo.exitCode !== null) throw new Error(`the demo ended with ${demo.exitCode}:\n${said}`);
      await sleep(POLL_MS);
    }
    const running = await findRunning(folder);
    if (running === undefined) throw new Error('the demo does not tell where it runs');
    return await costs(running);
  } finally {
    demo.kill('SIGINT');
    await ended;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Every round that was played and every run of their training, oldest first. */
async function costs({ temporal }: RunningSystem): Promise<Omit<Result, 'devices'>> {
  const connection = await Connection.connect(temporal.address === null ? {} : { address: temporal.address });
  const client = new Client({ connection, namespace: temporal.namespace });
  const { roundId, trainingId } = fleetNames(DEFAULT_FLEET);
  try {
    const rounds = await historiesOf(client, roundId);
    const training = await historiesOf(client, trainingId);
    return { rounds: rounds.map(costOf), training: training.map(trainingRunCostOf) };
  } finally {
    await connection.close();
  }
}

type History = Parameters<typeof costOf>[0];

/** Histories of all runs of a workflow, oldest first. */
async function historiesOf(client: Client, id: string): Promise<readonly History[]> {
  const found: { readonly at: number; readonly history: History }[] = [];
  for await (const { workflowId, runId, startTime } of client.workflow.list({
    query: `WorkflowId = "${id}"`,
  })) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    found.push({ at: startTime.getTime(), history });
  }
  return found.sort((one, other) => one.at - other.at).map(({ history }) => history);
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  process.exitCode = 1;
});
