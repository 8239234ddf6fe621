import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../cli/shared/options';
import { listOf } from './support/options';
import { type Processes } from '../cli/processes/processes';
import { cacheFolder } from '../cli/servers/cache';
import { type Servers } from '../cli/servers/servers';
import { type Session } from '../cli/system/session';
import { requireBuilt } from '../cli/system/worker-process';
import { TOPICS } from '../core/contracts/topics';
import { forgetRun, prepareDeployment } from './stream/deployment';
import { runFedloop, type FedloopRun } from './stream/fedloop';
import { fillTopic } from './stream/fill';
import { obtainPeer, PEERS, type Peer, type PeerMeasurement, type PeerName } from './stream/peer';
import { realtimeStart, runRealtime, type RealtimeRun } from './stream/realtime';
import { realtimeText, tableOf } from './stream/report';
import {
  assertRoom,
  eventsFor,
  FILL_START_MILLIS,
  LEFT_OUT,
  SETTINGS,
  type Workload,
} from './stream/workload';
import { inWorkspace, runBenchmark, serversOf } from './support/run';
import { describeMachine, writeResults } from './support/results';

/**
 * `npm run bench:stream`: the whole stream path, from a filled Kafka topic to rows that can be read, and others over the
 * same topic beside it.
 */
interface Options {
  readonly events?: number;
  readonly devices: readonly number[];
  readonly rate: number;
  readonly ratePerDevice: boolean;
  readonly partitions: number;
  readonly workers?: number;
  readonly repeat: number;
  readonly peer: readonly PeerName[];
  readonly realtime: boolean;
  readonly seconds: number;
  readonly questions: boolean;
  readonly adapters: boolean;
  readonly json: boolean;
}

/** The fleet that `--rate` is about, when `--rate-per-device` lets the rate grow with the fleet. */
const REFERENCE_DEVICES = 2_407;

const program = new Command('bench:stream')
  .description(
    'Events from Kafka through the stream worker and the analytics worker into DuckDB: events a second, time from a window’s close to its readable rows, memory and cores.',
  )
  .option(
    '--events <n>',
    'events in the topic (default: 12 million, or more where a few windows of the fleet need more)',
    wholeNumber(1),
  )
  .option('--devices <n,…>', 'sizes of the fleet; a topic is filled for each', listOf(wholeNumber(1)), [
    REFERENCE_DEVICES,
  ])
  .option('--rate <n>', 'events a second of event time, of all devices together', wholeNumber(1), 12_000)
  .option(
    '--rate-per-device',
    `each device sends as often as one of ${REFERENCE_DEVICES.toLocaleString('en')} would, so that the rate grows with the fleet`,
    false,
  )
  .option('--partitions <n>', 'partitions of the topic', wholeNumber(1), 4)
  .option(
    '--workers <n>',
    'stream workers that share the partitions: a core’s worth each, so one a core is as many as help; one in real time',
    wholeNumber(1),
  )
  .option('--repeat <n>', 'runs, of which the median is shown', wholeNumber(1), 3)
  .option('--peer <name,…>', `also run others over the same topic: ${PEERS.join(', ')}`, listOf(peerName), [])
  .option(
    '--realtime',
    'send events by the clock instead, as they would come, and measure what that costs',
    false,
  )
  .option(
    '--seconds <n>',
    'how long to measure in real time, after the start has settled',
    wholeNumber(1),
    180,
  )
  .option('--questions', 'in real time: ask for what has no end meanwhile, three questions at once', false)
  .option('--no-adapters', 'serve forecasts as the models make them, without what devices have learnt')
  .option('--json', 'print the results as JSON', false);

/** Everything measured over one filled topic. */
export interface Result {
  readonly workload: Workload;
  readonly streamWorkers: number;
  readonly topicMegabytes: number;
  readonly fedloop: readonly FedloopRun[];
  readonly peers: Readonly<Partial<Record<PeerName, readonly PeerMeasurement[]>>>;
}

/** What the runs of one invocation share. */
interface Bench {
  readonly options: Options;
  readonly session: Session;
  readonly processes: Processes;
  readonly servers: Servers;
  readonly folder: string;
}

async function main(session: Session): Promise<void> {
  const options = program.parse().opts<Options>();
  if (options.questions && !options.realtime) program.error('error: --questions needs --realtime');
  // Before anything is started: what cannot be measured is said at once.
  const workloads = options.realtime ? [] : options.devices.map((devices) => workloadOf(options, devices));
  await assertRoom(tmpdir(), workloads);
  await requireBuilt();
  const machine = describeMachine();
  await inWorkspace(session, async (workspace) => {
    const { processes, folder } = workspace;
    const peers = await Promise.all(
      options.peer.map((name) => obtainPeer(name, cacheFolder(session.env), processes, session.progress)),
    );
    const servers = await serversOf(workspace);
    const bench: Bench = { options, session, processes, servers, folder };
    const figures = options.realtime
      ? { benchmark: 'stream-realtime', ...(await measureRealtime(bench)) }
      : { benchmark: 'stream', results: await measureSizes(bench, peers, workloads) };
    const report = { ...figures, machine, settings: SETTINGS, leftOut: LEFT_OUT };
    const path = await writeResults(report.benchmark, report, new Date());
    session.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, path));
  });
}

function textOf(
  report: { readonly machine: ReturnType<typeof describeMachine> } & (
    { readonly results: readonly Result[] } | { readonly realtime: RealtimeRun }
  ),
  path: string,
): string {
  const { cpu, cores, load } = report.machine;
  const figures = 'results' in report ? tableOf(report.results) : realtimeText(report.realtime);
  return `${figures}\nOn ${cores} × ${cpu}, load ${load} at the start\n${LEFT_OUT.join('\n')}\nWritten to ${path}\n`;
}

async function measureSizes(
  bench: Bench,
  peers: readonly Peer[],
  workloads: readonly Workload[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (const workload of workloads) results.push(await measureSize(bench, peers, workload));
  return results;
}

/** Fill a topic, then take turns on it, so that a machine that slows down does so for everybody. */
async function measureSize(bench: Bench, peers: readonly Peer[], workload: Workload): Promise<Result> {
  const { options, session, processes, servers, folder } = bench;
  const { devices } = workload;
  const streamWorkers = options.workers ?? Math.min(availableParallelism(), options.partitions);
  const env = environmentOf(bench, devices);
  const topic = `${env['FEDLOOP_TOPIC_PREFIX'] ?? ''}${TOPICS.stream.name}`;
  await prepareDeployment(env, workload, options.adapters);
  const filling = session.progress.step(`Filling the topic: ${workload.events.toLocaleString('en')} events`);
  const filled = await fillTopic(servers.kafka.brokers, topic, workload, (events) => {
    filling.update('', events / workload.events);
  });
  filling.done(`${(filled.bytes / 1e6).toFixed(0)} MB`);

  const fedloop: FedloopRun[] = [];
  const measured = new Map<PeerName, PeerMeasurement[]>();
  for (let run = 1; run <= options.repeat; run += 1) {
    const runFolder = join(folder, `run-${devices}-${run}`);
    if (run > 1) await forgetRun(env);
    const step = session.progress.step(`fedloop, run ${run} of ${options.repeat}`);
    const place = {
      processes,
      folder: join(runFolder, 'fedloop'),
      env,
      brokerPid: servers.kafka.own?.child.pid,
    };
    fedloop.push(await runFedloop(place, workload, filled, streamWorkers));
    step.done(rateText(fedloop.at(-1)?.eventsPerSecond));
    for (const peer of peers) {
      const turn = session.progress.step(`${peer.name}, run ${run} of ${options.repeat}`);
      const measurement = await peer.run({
        brokers: servers.kafka.brokers,
        topic,
        partitions: workload.partitions,
        events: workload.events,
        folder: join(runFolder, peer.name),
      });
      measured.set(peer.name, [...(measured.get(peer.name) ?? []), measurement]);
      turn.done(rateText(measurement.events / measurement.seconds));
    }
    await rm(runFolder, { recursive: true, force: true });
  }
  return {
    workload,
    streamWorkers,
    topicMegabytes: filled.bytes / 1e6,
    fedloop,
    peers: Object.fromEntries(measured),
  };
}

async function measureRealtime(
  bench: Bench,
): Promise<{ readonly workload: Omit<Workload, 'events'>; readonly realtime: RealtimeRun }> {
  const { options, session, processes, servers, folder } = bench;
  const [devices = REFERENCE_DEVICES] = options.devices;
  const env = environmentOf(bench, devices);
  const workload: Workload = {
    events: Infinity,
    devices,
    rate: rateOf(options, devices),
    partitions: options.partitions,
    startMillis: realtimeStart(Date.now()),
  };
  await prepareDeployment(env, workload, options.adapters);
  const step = session.progress.step(`${workload.rate.toLocaleString('en')} events a second by the clock`);
  const place = {
    processes,
    folder: join(folder, 'realtime'),
    env,
    brokerPid: servers.kafka.own?.child.pid,
    broker: servers.kafka.brokers,
    topic: `${env['FEDLOOP_TOPIC_PREFIX'] ?? ''}${TOPICS.stream.name}`,
  };
  const realtime = await runRealtime(place, workload, {
    seconds: options.seconds,
    streamWorkers: options.workers ?? 1,
    questions: options.questions,
  });
  step.done();
  const { rate, partitions, startMillis } = workload;
  return { workload: { devices, rate, partitions, startMillis }, realtime };
}

/** @throws FedloopError `InvalidInput` for so few events that no window closes. */
function workloadOf(options: Options, devices: number): Workload {
  const rate = rateOf(options, devices);
  const { partitions } = options;
  return {
    events: eventsFor(options.events, rate),
    devices,
    rate,
    partitions,
    startMillis: FILL_START_MILLIS,
  };
}

/** Events a second of event time. */
function rateOf({ rate, ratePerDevice }: Options, devices: number): number {
  return ratePerDevice ? Math.round((rate * devices) / REFERENCE_DEVICES) : rate;
}

/** Each fleet has topics of its own. */
function environmentOf({ servers, options }: Bench, devices: number): NodeJS.ProcessEnv {
  return {
    ...servers.env,
    FEDLOOP_TOPIC_PREFIX: `bench-${process.pid}-${devices}.`,
    FEDLOOP_PARTITIONS: String(options.partitions),
  };
}

function rateText(eventsPerSecond: number | undefined): string {
  return `${Math.round(eventsPerSecond ?? NaN).toLocaleString('en')} events/s`;
}

function peerName(text: string): PeerName {
  const known = PEERS.find((name) => name === text);
  if (known === undefined) throw new InvalidArgumentError(`must be of ${PEERS.join(', ')}`);
  return known;
}

runBenchmark(main);
