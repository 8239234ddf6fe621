import { relative } from 'node:path';
import { decisionInWords } from '../../core/contracts/decisions';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { shortName } from '../../core/contracts/named';
import { isoOfMicros } from '../../core/contracts/time';
import { outColours as pc } from '../shared/colours';
import { type TargetWords } from '../../core/contracts/task';
import { LIMITS } from '../shared/limits';
import { counted, percent, printableLine, span, timestamp, whole } from '../shared/format';
import { inUnit, level, signedError } from '../shared/quantities';
import {
  type DevicesInState,
  type FleetTables,
  type PutAside,
  type RoundReadiness,
} from '../status/fleet-status';
import { broughtInWords } from '../results/contribution-text';
import { besideNetworks } from '../results/linear-text';
import { requireRunning } from '../system/running';
import { type Session } from '../system/session';
import {
  describeRound,
  nothingOf,
  readSystemStatus,
  type ShownProcess,
  type SystemStatus,
} from '../status/system-status';
import { unlessAborted } from '../shared/wait';

/** `fedloop status`: what runs here, on one screen. */
export async function status(session: Session, { json }: { readonly json?: boolean }): Promise<void> {
  const system = await requireRunning(session.folder);
  const found = await unlessAborted(readSystemStatus(session, system, 'everything'), session.signal);
  session.out(json === true ? `${JSON.stringify(found, null, 2)}\n` : renderStatus(found, session.folder));
}

/** Instead of a comparison. */
const TOO_LONG = `unknown: comparing it took more than ${LIMITS.statusMillis / 1_000} s`;

/** Widest of the usual names of a line. */
const NAME_WIDTH = 12;

/** The status on one screen. Parts that did not answer are named. */
export function renderStatus(status: SystemStatus, folder: string): string {
  const { system, processes, target, champion, lastRound, lag, nextScheduled } = status;
  const lines: readonly (readonly [string, string])[] = [
    ['run', `${system.id}, since ${timestamp(system.startedAt)}`],
    ...(system.fleet === DEFAULT_FLEET ? [] : ([['fleet', system.fleet]] as const)),
    ['processes', processes.map(describeProcess).join(', ')],
    ...processes.flatMap(({ name, trouble }) => (trouble === null ? [] : [[name, pc.red(trouble)] as const])),
    ...status.waiting.map(({ role, why }) => [role, pc.red(printableLine(why))] as const),
    ['Kafka', system.kafka.brokers],
    ['Temporal', system.temporal.uiUrl ?? system.temporal.address ?? 'as configured'],
    ...(system.prometheusUrl === null ? [] : ([['Prometheus', system.prometheusUrl]] as const)),
    ...(target === null ? [] : ([['target', describeTarget(target)]] as const)),
    [
      'champion',
      champion === null
        ? nothingOf(status, 'the analytics worker', 'none measured yet')
        : `${champion.model_version}: ${percent(champion.accuracy)} real accuracy (persistence ${percent(champion.persistence_accuracy)}${target === null ? '' : `, bias ${inUnit(signedError(champion.bias, target), target)}`}), ${whole(champion.evaluations)} evaluations`,
    ],
    ...fleetLines(status),
    [
      'lag',
      lag === null ? nothingOf(status, 'Kafka', 'none') : `${whole(lag)} events${partitionsOf(status)}`,
    ],
    [
      'last round',
      lastRound === null
        ? nothingOf(status, 'the analytics worker', 'none yet')
        : `${lastRound.round}: ${lastRound.model_version} ${decisionInWords(lastRound)}, ${lastRound.reason}`,
    ],
    ...resultLines(status),
    ['now', describeNow(status)],
    ...(status.checksPaused === null
      ? []
      : ([['live checks', `paused: ${printableLine(status.checksPaused)}`]] as const)),
    ...status.retries.map((text) => ['failing', pc.red(printableLine(text))] as const),
    [
      'next',
      nextScheduled === null
        ? nothingOf(status, 'Temporal', 'nothing scheduled')
        : `${timestamp(nextScheduled.at)} (${nextScheduled.schedule})`,
    ],
    ...(status.splitDevices === null
      ? []
      : ([['devices', pc.red(printableLine(status.splitDevices))]] as const)),
    ['logs', `${relative(folder, system.runFolder)}/logs`],
  ];
  return `${lines.map(([name, text]) => `${pc.bold(`${name.padEnd(NAME_WIDTH)} `)}${text}`).join('\n')}\n`;
}

/** What the rounds so far say of the networks: beside a linear model, and what each site and device brought. */
function resultLines({ results, silent }: SystemStatus): readonly (readonly [string, string])[] {
  if (results === null)
    return silent.includes('the analytics worker') ? [] : [['linear model', TOO_LONG] as const];
  const { linear, contribution } = results;
  return [
    ...(linear === null ? [] : [['linear model', besideNetworks(linear)] as const]),
    ...(contribution === null
      ? []
      : broughtInWords(contribution).map((what) => ['contribution', what] as const)),
  ];
}

/** The round under way, or why none can be. */
function describeNow(status: SystemStatus): string {
  const { round, missingWorker } = status;
  if (missingWorker !== null) return pc.red(missingWorker);
  return round === null ? nothingOf(status, 'Temporal', 'no round under way') : describeRound(round);
}

/** `stream`, `stream (restarted 2 times)`, `stream (frozen)`. */
function describeProcess({ name, state, restarts }: ShownProcess): string {
  const again = restarts === 0 ? [] : [`restarted ${restarts === 1 ? 'once' : `${restarts} times`}`];
  const remarks = [...(state === 'running' ? [] : [state]), ...again];
  const text = remarks.length === 0 ? name : `${name} (${remarks.join(', ')})`;
  return state === 'running' ? pc.green(text) : pc.red(text);
}

/** The fleet: its devices, its way to the first round, who is not forecast, and what was put aside. */
function fleetLines(status: SystemStatus): readonly (readonly [string, string])[] {
  const { readiness, fleet, stream, lastRound } = status;
  return [
    [
      'devices',
      readiness === null
        ? nothingOf(status, 'the site worker', 'none seen yet')
        : `${whole(readiness.sending)} send, ${whole(readiness.silent)} silent${latestWindowOf(readiness)}`,
    ],
    // Without the tables nobody knows whether there was a round.
    ...(readiness === null || lastRound !== null || status.silent.includes('the analytics worker')
      ? []
      : ([['first round', readiness.needs ?? 'possible now']] as const)),
    ...(fleet?.notForecast ?? []).map(
      (group) => [NAMES_OF_STATES[group.state] ?? group.state, describeDevices(group)] as const,
    ),
    ...(fleet?.putAside ?? [])
      .slice(0, REASONS_SHOWN)
      .map(
        ({ source, reason, detail, events, remedy }) =>
          [
            detail ?? reason,
            `${counted(events, source === 'ingest' ? 'message' : 'event')} put aside${remedy === null ? '' : `. ${remedy}`}`,
          ] as const,
      ),
    ...moreReasons((fleet?.putAside ?? []).slice(REASONS_SHOWN)),
    ...(fleet?.deadLetters ?? [])
      .slice(0, REASONS_SHOWN)
      .map(
        ({ topic, reason, messages }) =>
          [
            'not stored',
            `${counted(messages, 'message')} of ${topic} (${reason}; look at them: fedloop sql "FROM dead_letters")`,
          ] as const,
      ),
    ...(fleet?.lostRecords ?? []).map(
      ({ topic, records }) => ['lost', describeLost(topic, records)] as const,
    ),
    ...(fleet?.lostWindows ?? []).map((lost) => ['lost', describeLostWindows(lost)] as const),
    ...(fleet?.lostRejects ?? []).map((lost) => ['lost', describeLostRejects(lost)] as const),
    ...(fleet?.partitionsAhead ?? []).map(
      ({ partition, seconds }) =>
        [
          'clocks',
          pc.red(
            `partition ${partition} is ${span(seconds)} ahead of the others, and no round waits for it: look at the clocks of its devices, unless the others read a backlog`,
          ),
        ] as const,
    ),
    ...(stream === null || stream.unread.length === 0
      ? []
      : ([
          ['partitions', `${stream.partitions}; no worker here reads ${stream.unread.join(', ')}`],
        ] as const)),
  ];
}

/** `15 records of edge-iiot-rejects were deleted before they were stored: …`. */
function describeLost(topic: string, records: number): string {
  const verb = records === 1 ? 'was' : 'were';
  const text = `${counted(records, 'record')} of ${topic} ${verb} deleted before`;
  return pc.red(`${text} ${records === 1 ? 'it was' : 'they were'} stored: fedloop sql "FROM lost_records"`);
}

/** `8 windows of partitions in stream-analysis-results, between … and …, were written and never stored: …`. */
function describeLostWindows({ topic, windows, from, until }: FleetTables['lostWindows'][number]): string {
  const between = `between ${timestamp(isoOfMicros(from))} and ${timestamp(isoOfMicros(until))}`;
  const verb = windows === 1 ? 'was' : 'were';
  return pc.red(
    `${counted(windows, 'window')} of partitions in ${topic}, ${between}, ${verb} written and never stored: fedloop sql "FROM lost_windows"`,
  );
}

/** `40 events were refused, and why was written to edge-iiot-rejects and never stored: …`. */
function describeLostRejects({ topic, events }: FleetTables['lostRejects'][number]): string {
  const verb = events === 1 ? 'was' : 'were';
  return pc.red(
    `${counted(events, 'event')} ${verb} refused, and why was written to ${topic} and never stored: fedloop sql "FROM lost_rejects"`,
  );
}

/** What is put aside for the rarer reasons: counted, and where it is to be seen. */
function moreReasons(others: readonly PutAside[]): readonly (readonly [string, string])[] {
  if (others.length === 0) return [];
  const events = others.reduce((sum, other) => sum + other.events, 0);
  return [
    [
      'other',
      `${events.toLocaleString('en')} put aside for ${counted(others.length, 'more reason')}: fedloop status --json`,
    ],
  ];
}

function partitionsOf({ stream }: SystemStatus): string {
  return stream === null ? '' : ` not read yet, in ${counted(stream.partitions, 'partition')}`;
}

function latestWindowOf({ latestWindow }: RoundReadiness): string {
  return latestWindow === null ? '; no window has closed' : `; latest window ${timestamp(latestWindow)}`;
}

/** Reasons on one screen; the others are in `rejected_rows` and `dead_letters`. */
const REASONS_SHOWN = 5;

const NAMES_OF_STATES: Readonly<Partial<Record<string, string>>> = {
  new: 'too new',
  'only late': 'only late',
  silent: 'silent',
  'too sparse': 'too sparse',
};

/** `3 devices are not forecast: d5 sends every 60 s …; and 2 more`. */
function describeDevices({ devices, examples }: DevicesInState): string {
  const [first] = examples;
  const more = devices - 1;
  const named = first === undefined ? '' : `: ${shortName(printableLine(first.device))} ${first.reason}`;
  return `${counted(devices, 'device')} not forecast${named}${more > 0 ? `; and ${whole(more)} more` : ''}`;
}

/** `power, right within 40 kW`. */
function describeTarget(target: TargetWords): string {
  return `${target.sensor}, right within ${inUnit(level(target.tolerance), target)}`;
}
