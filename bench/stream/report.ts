import Table from 'cli-table3';
import { median } from '../support/results';
import { type FedloopRun, type ProcessFigures, type ProcessName } from './fedloop';
import { type PeerMeasurement, type PeerName } from './peer';
import { type QuestionsRun } from './questions';
import { type RealtimeRun } from './realtime';
import { type Workload } from './workload';

interface Measured {
  readonly workload: Workload;
  readonly streamWorkers: number;
  readonly fedloop: readonly FedloopRun[];
  readonly peers: Readonly<Partial<Record<PeerName, readonly PeerMeasurement[]>>>;
}

const PROCESSES: readonly ProcessName[] = ['stream', 'analytics', 'broker'];

/** Medians of the runs, a line a contender and size of the fleet. */
export function tableOf(results: readonly Measured[]): string {
  const table = new Table({
    head: [
      'contender',
      'devices',
      'events/s',
      'of fedloop',
      's',
      'set-up s',
      'CPU µs/event',
      'analytics',
      'rows',
      'close → row p50 s',
      'p99 s',
    ],
    style: { head: [], border: [] },
  });
  for (const measured of results) {
    table.push(fedloopLine(measured));
    for (const [name, runs] of Object.entries(measured.peers)) table.push(peerLine(name, runs, measured));
  }
  const ratios = results.flatMap(({ workload, fedloop, peers }) =>
    Object.entries(peers).map(([name, runs]) => {
      const ratio =
        of(fedloop, ({ eventsPerSecond }) => eventsPerSecond) /
        of(runs, ({ events, seconds }) => events / seconds);
      return `${whole(workload.devices)} devices: fedloop does ${ratio.toFixed(2)} × what ${name} does (medians)`;
    }),
  );
  const usage = results.map(
    ({ workload, streamWorkers, fedloop }) =>
      `${whole(workload.devices)} devices, fedloop with ${streamWorkers} stream worker${streamWorkers === 1 ? '' : 's'}: ${usageText(
        (name, figure) => of(fedloop, ({ processes }) => processes[name]?.[figure] ?? NaN),
      )}`,
  );
  return [table.toString(), ...ratios, ...usage].join('\n');
}

function fedloopLine({ workload, fedloop }: Measured): string[] {
  const { devices, events } = workload;
  return [
    'fedloop',
    whole(devices),
    whole(of(fedloop, ({ eventsPerSecond }) => eventsPerSecond)),
    '1.00',
    of(fedloop, ({ seconds }) => seconds).toFixed(1),
    of(fedloop, ({ setupSeconds }) => setupSeconds).toFixed(1),
    ...(['stream', 'analytics'] as const).map((name) =>
      microsPerEvent(
        of(fedloop, ({ processes }) => processes[name]?.cpuSeconds ?? NaN),
        events,
      ),
    ),
    whole(of(fedloop, ({ rows }) => rows.analysis + rows.evaluations)),
    of(fedloop, ({ closeToRow }) => closeToRow.p50).toFixed(2),
    of(fedloop, ({ closeToRow }) => closeToRow.p99).toFixed(2),
  ];
}

function peerLine(name: string, runs: readonly PeerMeasurement[], { workload, fedloop }: Measured): string[] {
  const rate = of(runs, ({ events, seconds }) => events / seconds);
  return [
    name,
    whole(workload.devices),
    whole(rate),
    (rate / of(fedloop, ({ eventsPerSecond }) => eventsPerSecond)).toFixed(2),
    of(runs, ({ seconds }) => seconds).toFixed(1),
    of(runs, ({ setupSeconds }) => setupSeconds).toFixed(1),
    microsPerEvent(
      of(runs, ({ cpuSeconds }) => cpuSeconds ?? NaN),
      workload.events,
    ),
    '',
    whole(of(runs, ({ rows }) => rows)),
    '',
    '',
  ];
}

export function realtimeText(run: RealtimeRun): string {
  const { p50, p99, max } = run.closeToRow;
  return [
    `${whole(run.eventsPerSecond)} events/s by the clock for ${run.seconds.toFixed(0)} s`,
    `close → row: p50 ${p50.toFixed(2)} s, p99 ${p99.toFixed(2)} s, slowest ${max.toFixed(2)} s (${whole(run.rows)} rows of ${run.windows} windows)`,
    usageText((name, figure) => run.processes[name]?.[figure] ?? NaN),
    ...(run.questions === null ? [] : [questionsText(run.questions)]),
  ].join('\n');
}

function questionsText({ answers, longestSeconds, readersPeakMegabytes }: QuestionsRun): string {
  return [
    `questions without end: the longest took ${longestSeconds.toFixed(1)} s, their readers ${whole(readersPeakMegabytes)} MB at most`,
    ...Object.entries(answers).map(([answer, count]) => `  ${count} × ${answer}`),
  ].join('\n');
}

function usageText(figure: (name: ProcessName, figure: keyof ProcessFigures) => number): string {
  return PROCESSES.map(
    (name) =>
      `${name} ${figure(name, 'cores').toFixed(2)} cores, peak ${whole(figure(name, 'peakMegabytes'))} MB`,
  ).join('; ');
}

function of<Run>(runs: readonly Run[], figure: (run: Run) => number): number {
  return median(runs.map(figure));
}

function microsPerEvent(cpuSeconds: number, events: number): string {
  return ((cpuSeconds / events) * 1e6).toFixed(2);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
