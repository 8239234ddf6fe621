import { type RunningSystem } from '../../cli/system/running';
import { NAMES } from './names';

/** What a system publishes of itself, on servers where nobody listens. */
export function runningEntry(about: Partial<RunningSystem> = {}): RunningSystem {
  return {
    id: 'run-1',
    pid: 1,
    started: null,
    startedAt: '2026-01-02T03:04:05.000Z',
    runFolder: '/runs/run-1',
    fleet: NAMES.fleet,
    kafka: { brokers: '127.0.0.1:1', topicPrefix: '', eventTopic: 'edge-iiot-stream' },
    temporal: { address: '127.0.0.1:2', namespace: 'default', uiUrl: null, configFile: null },
    prometheusUrl: null,
    workers: [],
    processes: [],
    ...about,
  };
}
