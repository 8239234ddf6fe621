import { relative } from 'node:path';
import { outColours as pc } from '../shared/colours';
import { timestamp, percent, signed, whole } from '../shared/format';
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
  const { system, processes, champion, lastRound, round, lag, nextScheduled } = status;
  const state = processes.map(({ name, up }) => (up ? pc.green(name) : pc.red(`${name} (gone)`))).join(', ');
  const lines: readonly (readonly [string, string])[] = [
    ['run', `${system.id}, since ${timestamp(system.startedAt)}`],
    ['processes', state],
    ['Kafka', system.kafka.brokers],
    ['Temporal', system.temporal.uiUrl ?? system.temporal.address ?? 'as configured'],
    ...(system.prometheusUrl === null ? [] : ([['Prometheus', system.prometheusUrl]] as const)),
    [
      'champion',
      champion === null
        ? nothingOf(status, 'the analytics worker', 'none measured yet')
        : `${champion.model_version}: ${percent(champion.accuracy)} real accuracy (persistence ${percent(champion.persistence_accuracy)}, bias ${signed(champion.bias, 2)} °C), ${whole(champion.evaluations)} evaluations`,
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
