import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { FEDLOOP, playTurn } from './rounds/contender';
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
  readonly json: boolean;
}

interface Result {
  readonly contender: string;
  readonly network: string;
  readonly workload: Workload;
  readonly medianSeconds: number;
  readonly fastestSeconds: number;
  readonly measurement: Measurement;
}

const program = new Command('bench:rounds')
  .description('Time and memory to train every device once (batch 32, one epoch) and to average the updates.')
  .option('--devices <n,…>', 'sizes of the fleet', listOf(positive), [2_407])
  .option(
    '--networks <name,…>',
    `of ${Object.keys(NETWORKS).join(', ')}`,
    listOf(networkName),
    Object.keys(NETWORKS),
  )
  .option('--repeat <n>', 'measured runs, after one that warms up', positive, 5)
  .option('--rows <n>', 'training rows of each device', positive, 256)
  .option('--threads <n>', 'threads of one run; 0 = one a core', whole, 0)
  .option('--json', 'print the results as JSON', false);

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const machine = describeMachine();
  const results: Result[] = [];
  for (const network of options.networks) {
    for (const devices of options.devices) results.push(await measure(network, devices, options));
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

async function measure(
  network: string,
  devices: number,
  { repeat, rows, threads }: Options,
): Promise<Result> {
  const shape = NETWORKS[network];
  if (shape === undefined) throw new RangeError(`there is no network ${network}`);
  const workload = {
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
  const measurement = await playTurn(FEDLOOP, workload);
  return {
    contender: FEDLOOP.name,
    network,
    workload,
    medianSeconds: median(measurement.seconds),
    fastestSeconds: Math.min(...measurement.seconds),
    measurement,
  };
}

function tableOf(results: readonly Result[]): string {
  const table = new Table({
    head: [
      'network',
      'devices',
      'median s',
      'fastest s',
      'CPU s',
      'µs/device',
      'set-up s',
      'peak MB',
      'loss before → after',
    ],
    style: { head: [], border: [] },
  });
  for (const { network, workload, medianSeconds, fastestSeconds, measurement } of results) {
    table.push([
      network,
      workload.devices.toLocaleString('en'),
      medianSeconds.toFixed(3),
      fastestSeconds.toFixed(3),
      median(measurement.cpuSeconds).toFixed(3),
      ((medianSeconds / workload.devices) * 1e6).toFixed(1),
      measurement.setupSeconds.toFixed(2),
      measurement.peakMegabytes.toFixed(0),
      `${measurement.lossBefore.toFixed(3)} → ${measurement.lossAfter.toFixed(3)}`,
    ]);
  }
  return table.toString();
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number');
  return value;
}

function positive(text: string): number {
  const value = whole(text);
  if (value === 0) throw new InvalidArgumentError('must be at least 1');
  return value;
}

function networkName(text: string): string {
  if (!(text in NETWORKS))
    throw new InvalidArgumentError(`must be one of ${Object.keys(NETWORKS).join(', ')}`);
  return text;
}

function listOf<Item>(parse: (text: string) => Item): (text: string) => Item[] {
  return (text) => text.split(',').map((part) => parse(part.trim()));
}

main().catch((cause: unknown) => {
  process.stderr.write(`bench:rounds: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
});
