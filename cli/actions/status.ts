import { relative } from 'node:path';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { outColours as pc } from '../shared/colours';
import { type TargetWords } from '../../core/contracts/task';
import { timestamp, percent, whole } from '../shared/format';
import { inUnit, level, signedError } from '../shared/quantities';
import { requireRunning } from '../system/running';
import { type Session } from '../system/session';
import { describeRound, nothingOf, readSystemStatus, type SystemStatus } from '../status/system-status';
import { unlessAborted } from '../shared/wait';

/** `fedloop status`: what runs here, on one screen. */
export async function status(session: Session, { json }: { readonly json?: boolean }): Promise<void> {
  const system = await requireRunning(session.folder);
  const found = await unlessAborted(readSystemStatus(session, system), session.signal);
  session.out(json === true ? `${JSON.stringify(found, null, 2)}\n` : renderStatus(found, session.folder));
}

/** The status on one screen. Parts that did not answer are named. */
export function renderStatus(status: SystemStatus, folder: string): string {
  const { system, processes, target, champion, lastRound, round, lag, nextScheduled } = status;
  const state = processes.map(({ name, up }) => (up ? pc.green(name) : pc.red(`${name} (gone)`))).join(', ');
  const lines: readonly (readonly [string, string])[] = [
    ['run', `${system.id}, since ${timestamp(system.startedAt)}`],
    ...(system.fleet === DEFAULT_FLEET ? [] : ([['fleet', system.fleet]] as const)),
    ['processes', state],
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
    ['lag', lag === null ? nothingOf(status, 'Kafka', 'none') : `${whole(lag)} events`],
    [
      'last round',
      lastRound === null
        ? nothingOf(status, 'the analytics worker', 'none yet')
        : `${lastRound.round}: ${lastRound.model_version} ${lastRound.decision}, ${lastRound.reason}`,
    ],
    ['now', round === null ? nothingOf(status, 'Temporal', 'no round under way') : describeRound(round)],
    [
      'next',
      nextScheduled === null
        ? nothingOf(status, 'Temporal', 'nothing scheduled')
        : `${timestamp(nextScheduled.at)} (${nextScheduled.schedule})`,
    ],
    ...(status.splitDevices === null ? [] : ([['devices', pc.red(status.splitDevices)]] as const)),
    ['logs', `${relative(folder, system.runFolder)}/logs`],
  ];
  return `${lines.map(([name, text]) => `${pc.bold(name.padEnd(11))}${text}`).join('\n')}\n`;
}

/** `power, right within 40 kW`. */
function describeTarget(target: TargetWords): string {
  return `${target.sensor}, right within ${inUnit(level(target.tolerance), target)}`;
}
