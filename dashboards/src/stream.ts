import { ingestRow } from './ingest';
import { maxBy, metric, quantileOf, ratePer, sumBy } from './promql';
import { type DashboardSpec, type Thresholds } from './spec';

const NO_STREAM = 'No stream worker is scraped, or it holds no partition.';
const NO_EVENTS = 'No events in this time: does the fleet send?';

/** Ten thousand events are less than a second's work; a hundred thousand are many. */
export const LAG_THRESHOLDS: Thresholds = {
  base: 'green',
  steps: [
    { from: 10_000, colour: 'yellow' },
    { from: 100_000, colour: 'red' },
  ],
};

/** Whether the stream keeps up, and what it rejects. */
export const streamDashboard: DashboardSpec = {
  uid: 'fedloop-stream',
  file: 'stream-health',
  title: 'Stream health',
  description:
    'Whether the stream keeps up with the fleet, what it rejects and why, and how soon its rows are readable.',
  rows: [
    {
      title: 'Is it keeping up?',
      panels: [
        {
          kind: 'stat',
          title: 'Events a second',
          description: 'Events read over all partitions.',
          unit: 'ops',
          noData: NO_EVENTS,
          width: 5,
          height: 4,
          query: { expr: ratePer([], 'fedloop_stream_events_read_total'), legend: 'events' },
        },
        {
          kind: 'stat',
          title: 'Lag',
          description: 'Records that wait to be read, over all partitions.',
          unit: 'short',
          noData: NO_STREAM,
          width: 5,
          height: 4,
          thresholds: LAG_THRESHOLDS,
          query: { expr: sumBy([], 'fedloop_stream_lag_records'), legend: 'records' },
        },
        {
          kind: 'stat',
          title: 'Rejected',
          description: 'Share of all events read that were late, duplicate, from the future or malformed.',
          unit: 'percentunit',
          decimals: 2,
          noData: NO_EVENTS,
          width: 5,
          height: 4,
          thresholds: { base: 'green', steps: [{ from: 0.05, colour: 'red' }] },
          query: {
            expr: `sum (${metric('fedloop_stream_events_total', 'verdict!="windowed"')}) / (${sumBy([], 'fedloop_stream_events_read_total')} > 0)`,
            legend: 'rejected',
          },
        },
        {
          kind: 'stat',
          title: 'Window to rows, 95 %',
          description:
            'Time from a window’s blocks in Kafka to rows that can be read, 95th percentile since the analytics worker started.',
          unit: 's',
          decimals: 2,
          noData: 'No window was stored yet.',
          width: 5,
          height: 4,
          query: {
            expr: `histogram_quantile(0.95, sum by (le) (${metric('fedloop_sink_latency_seconds_bucket')}))`,
            legend: 'seconds',
          },
        },
        {
          kind: 'stat',
          title: 'Partitions held',
          description:
            'Partitions of the stream that a worker holds. Fewer than the topic has: start another stream worker.',
          unit: 'none',
          noData: NO_STREAM,
          width: 4,
          height: 4,
          query: { expr: `count (${maxBy(['partition'], 'fedloop_stream_epoch')})`, legend: 'partitions' },
        },
        {
          kind: 'timeseries',
          title: 'Events by verdict',
          description:
            'Events a second. For every partition read = windowed + late + duplicate + future + malformed, across restarts too; all but windowed are kept in edge-iiot-rejects.',
          unit: 'ops',
          min: 0,
          stacked: true,
          noData: NO_EVENTS,
          width: 12,
          height: 8,
          queries: [{ expr: ratePer(['verdict'], 'fedloop_stream_events_total'), legend: '{{verdict}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Lag by partition',
          description:
            'Records of each partition that were not read yet. One partition alone: its devices send more than others.',
          unit: 'short',
          min: 0,
          noData: NO_STREAM,
          width: 12,
          height: 8,
          queries: [
            { expr: maxBy(['partition'], 'fedloop_stream_lag_records'), legend: 'partition {{partition}}' },
          ],
        },
      ],
    },
    {
      title: 'Time',
      panels: [
        {
          kind: 'timeseries',
          title: 'Watermark delay by partition',
          description:
            'Event time between the latest record and the watermark. It stays near the configured watermark (a minute); more means that clocks run ahead.',
          unit: 's',
          noData: NO_EVENTS,
          width: 8,
          height: 8,
          queries: [
            {
              expr: maxBy(['partition'], 'fedloop_stream_watermark_delay_seconds'),
              legend: 'partition {{partition}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Window closed to blocks acknowledged',
          description: 'Time from a window closing to the broker having its blocks.',
          unit: 's',
          noData: 'No window closed in this time.',
          width: 8,
          height: 8,
          queries: [
            { expr: quantileOf(0.5, 'fedloop_stream_close_to_acknowledged_seconds'), legend: 'median' },
            { expr: quantileOf(0.95, 'fedloop_stream_close_to_acknowledged_seconds'), legend: '95 %' },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Window to readable rows',
          description:
            'Time from a window’s blocks in Kafka to its rows in DuckDB: what a dashboard or a round waits for.',
          unit: 's',
          noData: 'No window was stored in this time.',
          width: 8,
          height: 8,
          queries: [
            { expr: quantileOf(0.5, 'fedloop_sink_latency_seconds'), legend: 'median' },
            { expr: quantileOf(0.95, 'fedloop_sink_latency_seconds'), legend: '95 %' },
          ],
        },
      ],
    },
    {
      title: 'State and rows',
      panels: [
        {
          kind: 'timeseries',
          title: 'State by partition',
          description:
            'Readings in open windows and devices known. The state is bounded; what does not fit is rejected as malformed, over-limit.',
          unit: 'short',
          min: 0,
          noData: NO_STREAM,
          width: 8,
          height: 8,
          queries: [
            ...(
              [
                ['readings', 'readings in open windows'],
                ['devices', 'devices known'],
                ['devices_with_history', 'devices with a history'],
              ] as const
            ).map(([what, legend]) => ({
              expr: sumBy([], 'fedloop_stream_state', `what="${what}"`),
              legend,
            })),
            { expr: sumBy([], 'fedloop_stream_open_windows'), legend: 'open windows' },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Rows written',
          description: 'Rows of windows and of forecasts that the stream workers hand to Kafka.',
          unit: 'ops',
          min: 0,
          noData: NO_EVENTS,
          width: 8,
          height: 8,
          queries: [{ expr: ratePer(['kind'], 'fedloop_stream_rows_total'), legend: '{{kind}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Devices without a forecast',
          description:
            'Devices in closed windows that no version could forecast: fewer than 20 of their last 24 windows are there, or the latest is missing.',
          unit: 'ops',
          min: 0,
          noData: NO_EVENTS,
          width: 8,
          height: 8,
          queries: [{ expr: ratePer([], 'fedloop_stream_no_forecast_total'), legend: 'without a forecast' }],
        },
        {
          kind: 'bars',
          title: 'Malformed, and why',
          description: 'Malformed events since the workers started, by what was wrong with them.',
          unit: 'none',
          min: 0,
          noData: 'No malformed event came.',
          width: 8,
          height: 7,
          queries: [{ expr: sumBy(['detail'], 'fedloop_stream_malformed_total'), legend: '{{detail}}' }],
        },
        {
          kind: 'bars',
          title: 'Versions in force',
          description:
            'How many partitions score each version. Every version in force should be scored by all of them.',
          unit: 'none',
          min: 0,
          noData: 'No version is in force: a first round makes one.',
          width: 8,
          height: 7,
          queries: [{ expr: sumBy(['version'], 'fedloop_stream_version_in_force'), legend: '{{version}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Waiting for the broker',
          description:
            'Results handed to the producer and not acknowledged yet. At its capacity the worker stops reading until it shrinks.',
          unit: 'decbytes',
          min: 0,
          noData: NO_STREAM,
          width: 8,
          height: 7,
          queries: [{ expr: maxBy(['instance'], 'fedloop_stream_outbox_bytes'), legend: '{{instance}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Partitions paused',
          description:
            'Partitions that are not read for the moment, because a living warehouse (sink) or the broker (producer) is behind. Their events wait in Kafka.',
          unit: 'none',
          min: 0,
          noData: NO_STREAM,
          width: 12,
          height: 7,
          queries: [{ expr: sumBy(['reason'], 'fedloop_stream_paused'), legend: '{{reason}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Results that the warehouse has yet to store',
          description:
            'Blocks of each partition that the furthest-behind living warehouse has not stored. At 2,000 the partition is paused until 1,000 are left.',
          unit: 'none',
          min: 0,
          noData: 'No warehouse has stored results of these partitions yet.',
          width: 12,
          height: 7,
          queries: [
            {
              expr: maxBy(['partition'], 'fedloop_stream_sink_lag_blocks'),
              legend: 'partition {{partition}}',
            },
          ],
        },
      ],
    },
    ingestRow(LAG_THRESHOLDS),
  ],
};
