import { errorColours as pc } from '../shared/colours';
import { fleetNames, type FleetNames } from '../../core/contracts/queues';
import { readEnvironment } from '../../core/platform/config';
import { type System } from '../system/system';

/** Page of Temporal's UI that starts a round by hand, with id, queue and type filled in: under that id the round itself runs, and lists its updates. */
export function startRoundLink(
  { roundId, roundsQueue }: FleetNames,
  uiUrl: string,
  namespace: string,
): string {
  const query = new URLSearchParams({
    workflowId: roundId,
    taskQueue: roundsQueue,
    workflowType: 'federatedRound',
  });
  return `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/start-workflow?${query.toString()}`;
}

/** Where to look while a system stays up; `until` is what ends it. */
export function renderLinks(system: System, until: 'Ctrl-C' | '`fedloop down`'): string {
  const { temporal } = system.servers;
  const names = fleetNames(readEnvironment(system.env).FEDLOOP_FLEET);
  const lines = [
    ...(temporal.uiUrl === undefined
      ? [['Temporal', temporal.address ?? 'as configured']]
      : [
          ['Temporal UI', `${temporal.uiUrl}/namespaces/${encodeURIComponent(temporal.namespace)}/workflows`],
          ['Start a round', startRoundLink(names, temporal.uiUrl, temporal.namespace)],
        ]),
    ...(system.metrics?.server === undefined ? [] : [['Prometheus', system.metrics.server.url]]),
    ...system.workers.all.map(({ role, url }) => [`${role} metrics`, `${url}/metrics`]),
    ['Kafka', system.servers.kafka.brokers],
    ['This run', system.run.path],
  ];
  const width = Math.max(...lines.map(([name = '']) => name.length));
  return [
    pc.bold(`Everything stays up until ${until}.`),
    ...lines.map(([name = '', where = '']) => `  ${name.padEnd(width)}  ${pc.cyan(where)}`),
    `  In another terminal: fedloop sql "SELECT * FROM model_scoreboard" · fedloop round start --wait · fedloop status`,
    '',
  ].join('\n');
}
