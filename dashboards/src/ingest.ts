import { maxBy, ratePer, sumBy } from './promql';
import { type Panel, type Row, type Thresholds } from './spec';

const NO_INGEST = 'No ingest worker is scraped: a fleet that sends canonical events needs none.';

const REJECTS = ratePer([], 'fedloop_ingest_rejects_total');

function figures(lagThresholds: Thresholds): readonly Panel[] {
  return [
    {
      kind: 'stat',
      title: 'Messages a second',
      description: 'Messages of the source that ingest workers have read and Kafka has taken.',
      unit: 'ops',
      noData: NO_INGEST,
      width: 6,
      height: 4,
      query: { expr: ratePer([], 'fedloop_ingest_messages_total'), legend: 'messages' },
    },
    {
      kind: 'stat',
      title: 'Not mapped',
      description:
        'Share of messages, and of readings in them, of which no event could be made. `fedloop rejects list` says why and where.',
      unit: 'percentunit',
      decimals: 2,
      noData: 'Nothing was rejected, or no ingest worker is scraped.',
      width: 6,
      height: 4,
      thresholds: { base: 'green', steps: [{ from: 0.05, colour: 'red' }] },
      query: {
        expr: `${REJECTS} / ((${REJECTS} + ${ratePer([], 'fedloop_ingest_readings_total')}) > 0)`,
        legend: 'rejected',
      },
    },
    {
      kind: 'stat',
      title: 'Source lag',
      description:
        'Records of the source topic that wait to be read. An MQTT server keeps its own count of messages that wait.',
      unit: 'short',
      noData: 'No partition of a source topic is read by an ingest worker.',
      width: 6,
      height: 4,
      thresholds: lagThresholds,
      query: { expr: sumBy([], 'fedloop_ingest_lag_records'), legend: 'records' },
    },
    {
      kind: 'bars',
      title: 'Source answers',
      description:
        'Whether the source topic or the MQTT server can be read. If not, /healthz of the ingest worker says why, and what to do.',
      unit: 'none',
      min: 0,
      max: 1,
      words: { 0: { text: 'away', colour: 'red' }, 1: { text: 'connected', colour: 'green' } },
      noData: NO_INGEST,
      width: 6,
      height: 4,
      queries: [{ expr: maxBy(['instance'], 'fedloop_ingest_source_connected'), legend: '{{instance}}' }],
    },
  ];
}

const CURVES: readonly Panel[] = [
  {
    kind: 'timeseries',
    title: 'Messages and readings',
    description:
      'Messages a second, by what came of them, beside the readings in them. Every message is mapped or rejected.',
    unit: 'ops',
    min: 0,
    noData: NO_INGEST,
    width: 8,
    height: 8,
    queries: [
      { expr: ratePer(['outcome'], 'fedloop_ingest_messages_total'), legend: 'messages {{outcome}}' },
      { expr: ratePer([], 'fedloop_ingest_readings_total'), legend: 'readings' },
    ],
  },
  {
    kind: 'timeseries',
    title: 'Not mapped, and why',
    description:
      'Messages, and readings in them, a second of which no event could be made. They are rows of rejected_rows with the source ingest.',
    unit: 'ops',
    min: 0,
    stacked: true,
    noData: 'Nothing was rejected.',
    width: 8,
    height: 8,
    queries: [{ expr: ratePer(['reason'], 'fedloop_ingest_rejects_total'), legend: '{{reason}}' }],
  },
  {
    kind: 'timeseries',
    title: 'What waits',
    description:
      'Records of each source partition that were not read yet, and events that Kafka has not acknowledged: with those, MQTT messages stay with their server.',
    unit: 'short',
    min: 0,
    noData: NO_INGEST,
    width: 8,
    height: 8,
    queries: [
      { expr: maxBy(['partition'], 'fedloop_ingest_lag_records'), legend: 'partition {{partition}}' },
      { expr: sumBy([], 'fedloop_ingest_pending_events'), legend: 'for Kafka' },
    ],
  },
];

/** What comes in where the source's messages have a shape of their own, or come by MQTT. */
export function ingestRow(lagThresholds: Thresholds): Row {
  return { title: 'Messages of another shape, or by MQTT', panels: [...figures(lagThresholds), ...CURVES] };
}
