import { availableParallelism } from 'node:os';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../cli/shared/options';
import { listOf, oneOf } from './support/options';
import { FedloopError, messageOf } from '../core/contracts/errors';
import { FEDLOOP, playTurn, type Contender } from './rounds/contender';
import { obtainPeer, PEERS, type PeerName } from './rounds/peers';
import { LEFT_OUT, NETWORKS, type Measurement, type Workload } from './rounds/workload';
import { describeMachine, median, writeResults } from './support/results';

/**
 * `npm run bench:rounds`: how long it takes to train all devices once and to average what they learned.
 */
interface Options {
  readonly devices: readonly number[];
  readonly networks: readonly string[];
  readonly repeat: number;
  readonly rows: number;
  readonly threads: number;
  readonly peer: readonly PeerName[];
  readonly peerRepeat: number;
  readonly json: boolean;
}

interface Result {
  readonly contender: string;
  readonly network: string;
  readonly workload: Workload;
  readonly medianSeconds: number;
  readonly fastestSeconds: number;
  readonly measurement: Measurement;
  /** How many times as long as Fedloop's median with the same workload; 1 for Fedloop itself. */
  readonly timesFedloop: number;
}

const program = new Command('bench:rounds')
  .description('Time and memory to train every device once (batch 32, one epoch) and to average the updates.')
  .option(
    '--devices <n,…>',
    'sizes of the fleet (goals are given for 240, 2407, 24070 and 240700)',
    listOf(wholeNumber(1)),
    [2_407],
  )
  .option(
    '--networks <name,…>',
    `of ${Object.keys(NETWORKS).join(', ')}`,
    listOf(networkName),
    Object.keys(NETWORKS),
  )
  .option('--repeat <n>', 'measured runs, after one that warms up', wholeNumber(1), 5)
  .option('--rows <n>', 'training rows of each device', wholeNumber(1), 256)
  .option('--threads <n>', 'threads of one run; 0 = one a core', wholeNumber(0), 0)
  .option(
    '--peer <name,…>',
    `others that do the same work in the same run: ${PEERS.join(', ')}`,
    listOf(oneOf(PEERS)),
    [],
  )
  .option('--peer-repeat <n>', 'measured runs of each peer, after one that warms up', wholeNumber(1), 1)
  .option('--json', 'print the results as JSON', false);

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const machine = describeMachine();
  const say = (line: string): void => void process.stderr.write(`bench:rounds: ${line}\n`);
  const peers = [];
  for (const name of options.peer)
    peers.push(await obtainPeer(name, options.threads === 0 ? availableParallelism() : options.threads, say));
  const results: Result[] = [];
  for (const network of options.networks) {
    for (const devices of options.devices) {
      const workload = workloadOf(network, devices, options);
      say(`fedloop trains ${devices.toLocaleString('en')} devices, ${network}`);
      const own = await measure(FEDLOOP, network, workload, null);
      results.push(own);
      for (const peer of peers) {
        say(`${peer.name} trains ${devices.toLocaleString('en')} devices, ${network}`);
        results.push(await measure(peer, network, { ...workload, repeat: options.peerRepeat }, own));
      }
    }
  }
  const report = { benchmark: 'rounds', machine, leftOut: LEFT_OUT, results };
  const path = await writeResults('rounds', report, new Date());
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${tableOf(results)}\n`);
  if (options.json) return;
  const { cpu, cores, load } = machine;
  process.stdout.write(
    `On ${cores} × ${cpu}, load ${load} at the start\n${LEFT_OUT.join('\n')}\nWritten to ${path}\n`,
  );
}

function workloadOf(network: string, devices: number, { repeat, rows, threads }: Options): Workload {
  const shape = NETWORKS[network];
  if (shape === undefined) throw new RangeError(`there is no network ${network}`);
  return {
    devices,
    rows,
    batchSize: 32,
    epochs: 1,
    learningRate: 0.05,
    ...shape,
    repeat,
    threads,
    seed: 1,
  };
}

async function measure(
  contender: Contender,
  network: string,
  workload: Workload,
  own: Result | null,
): Promise<Result> {
  const measurement = await playTurn(contender, workload);
  const medianSeconds = median(measurement.seconds);
  return {
    contender: contender.name,
    network,
    workload,
    medianSeconds,
    fastestSeconds: Math.min(...measurement.seconds),
    measurement,
    timesFedloop: own === null ? 1 : medianSeconds / own.medianSeconds,
  };
}

function tableOf(results: readonly Result[]): string {
  const table = new Table({
    head: [
      'network',
      'contender',
      'devices',
      'median s',
      'fastest s',
      'CPU s',
      'µs/device',
      '× fedloop',
      'set-up s',
      'peak MB',
      'loss before → after',
    ],
    style: { head: [], border: [] },
  });
  for (const result of results) {
    const { contender, network, workload, medianSeconds, fastestSeconds, measurement, timesFedloop } = result;
    table.push([
      network,
      contender,
      workload.devices.toLocaleString('en'),
      medianSeconds.toFixed(3),
      fastestSeconds.toFixed(3),
      median(measurement.cpuSeconds).toFixed(3),
      ((medianSeconds / workload.devices) * 1e6).toFixed(1),
      timesFedloop === 1 ? '' : timesFedloop.toFixed(1),
      measurement.setupSeconds.toFixed(2),
      measurement.peakMegabytes.toFixed(0),
      `${measurement.lossBefore.toFixed(3)} → ${measurement.lossAfter.toFixed(3)}`,
    ]);
  }
  return table.toString();
}

function networkName(text: string): string {
  if (!(text in NETWORKS))
    throw new InvalidArgumentError(`must be one of ${Object.keys(NETWORKS).join(', ')}`);
  return text;
}

main().catch((cause: unknown) => {
  const hint = cause instanceof FedloopError && cause.hint !== undefined ? ` ${cause.hint}` : '';
  process.stderr.write(`bench:rounds: ${messageOf(cause)}.${hint}\n`);
  process.exitCode = 1;
});
