import { increaseOver, maxBy, metric, quantileOf, ratePer, sumBy } from './promql';
import { type DashboardSpec } from './spec';

const NO_ANALYTICS = 'No analytics worker is scraped.';
const NO_BATCH = 'No file was counted yet: fedloop batch';
const NO_ROWS = 'No rows were stored in this time.';

/** The batch path, and the size and growth of the tables. */
export const warehouseDashboard: DashboardSpec = {
  uid: 'fedloop-warehouse',
  file: 'batch-and-warehouse',
  title: 'Batch & warehouse',
  description:
    'What the batch path has counted, how fast rows are stored, what was rejected, and how large the tables are.',
  rows: [
    {
      title: 'Batch path',
      panels: [
        {
          kind: 'stat',
          title: 'Files',
          description: 'Files that batch results are made of. An unchanged file is not read again.',
          unit: 'none',
          noData: NO_ANALYTICS,
          width: 4,
          height: 4,
          query: { expr: maxBy([], 'fedloop_batch_files'), legend: 'files' },
        },
        {
          kind: 'stat',
          title: 'Readings',
          description: 'Readings in those files.',
          unit: 'short',
          noData: NO_ANALYTICS,
          width: 5,
          height: 4,
          query: { expr: maxBy([], 'fedloop_batch_rows'), legend: 'readings' },
        },
        {
          kind: 'stat',
          title: 'Broken rows',
          description: 'Rows that could not be read; rejected_rows has file and line of each.',
          unit: 'short',
          noData: NO_ANALYTICS,
          width: 5,
          height: 4,
          thresholds: { base: 'green', steps: [{ from: 1, colour: 'yellow' }] },
          query: { expr: maxBy([], 'fedloop_batch_rejected_rows'), legend: 'rows' },
        },
        {
          kind: 'stat',
          title: 'Results',
          description:
            'Rows of batch_analysis_results: AVG, MIN, MAX, STDDEV and COUNT of a device, day and sensor.',
          unit: 'short',
          noData: NO_ANALYTICS,
          width: 5,
          height: 4,
          query: { expr: maxBy([], 'fedloop_batch_results'), legend: 'results' },
        },
        {
          kind: 'stat',
          title: 'Latest day',
          description: 'The latest day with batch results, in event time.',
          unit: 'time:YYYY-MM-DD',
          noData: NO_BATCH,
          width: 5,
          height: 4,
          // At its noon, so that it is the same day wherever the viewer lives.
          query: {
            expr: `(${maxBy([], 'fedloop_batch_latest_day_timestamp_seconds')} + 43200) * 1000`,
            legend: 'day',
          },
        },
        {
          kind: 'timeseries',
          title: 'Time of a batch run',
          description: 'Mean time of the runs of the past hour.',
          unit: 's',
          min: 0,
          noData: NO_BATCH,
          width: 12,
          height: 7,
          queries: [
            {
              expr: `${increaseOver('1h', 'fedloop_activity_duration_seconds_sum', 'activity="runBatch"')} / (${increaseOver('1h', 'fedloop_activity_duration_seconds_count', 'activity="runBatch"')} > 0)`,
              legend: 'seconds a run',
            },
          ],
        },
        {
          kind: 'bars',
          title: 'Rejected rows',
          description: 'What lies in rejected_rows: of the stream and of files, by reason.',
          unit: 'none',
          min: 0,
          noData: 'Nothing was rejected.',
          width: 12,
          height: 7,
          queries: [
            { expr: maxBy(['source', 'reason'], 'fedloop_rejected_rows'), legend: '{{source}}: {{reason}}' },
          ],
        },
      ],
    },
    {
      title: 'Sink',
      panels: [
        {
          kind: 'timeseries',
          title: 'Rows stored',
          description: 'Rows a second that go into DuckDB, by table.',
          unit: 'ops',
          min: 0,
          noData: NO_ROWS,
          width: 8,
          height: 8,
          queries: [{ expr: ratePer(['table'], 'fedloop_sink_rows_total'), legend: '{{table}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Time of a transaction',
          description:
            'Rows and the mark of how far they go are stored together; this is how long that takes.',
          unit: 's',
          min: 0,
          noData: NO_ROWS,
          width: 8,
          height: 8,
          queries: [
            { expr: quantileOf(0.5, 'fedloop_sink_transaction_seconds'), legend: 'median' },
            { expr: quantileOf(0.95, 'fedloop_sink_transaction_seconds'), legend: '95 %' },
          ],
        },
        {
          kind: 'bars',
          title: 'Blocks by outcome',
          description:
            'stored-before and older-epoch are blocks that came twice, after a crash or a rebalance, and were dropped. A gap is a block that never came: fedloop verify tells what is missing.',
          unit: 'none',
          min: 0,
          noData: NO_ANALYTICS,
          width: 8,
          height: 8,
          queries: [{ expr: sumBy(['outcome'], 'fedloop_sink_blocks_total'), legend: '{{outcome}}' }],
        },
      ],
    },
    {
      title: 'Tables',
      panels: [
        {
          kind: 'bars',
          title: 'Rows by table',
          description: 'As DuckDB estimates them; rows that retention deleted may still count.',
          unit: 'short',
          min: 0,
          noData: NO_ANALYTICS,
          width: 8,
          height: 10,
          queries: [
            { expr: `topk (12, ${maxBy(['table'], 'fedloop_warehouse_table_rows')})`, legend: '{{table}}' },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Size on disk and in memory',
          description:
            'DuckDB’s file, its write-ahead log, and the memory that it holds, at most 512 MB. Rows of windows and forecasts are kept as long as FEDLOOP_RETENTION says; roll-ups stay.',
          unit: 'decbytes',
          min: 0,
          noData: NO_ANALYTICS,
          width: 8,
          height: 10,
          queries: [
            { expr: maxBy(['file'], 'fedloop_warehouse_size_bytes'), legend: '{{file}}' },
            { expr: maxBy([], 'fedloop_warehouse_memory_bytes'), legend: 'memory' },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Latest window evaluated',
          description:
            'End of the latest complete window, in event time. It climbs while the fleet sends; flat, with events coming, means that windows are not complete.',
          unit: 'time:MM-DD HH:mm',
          noData: 'No window was evaluated yet.',
          width: 8,
          height: 10,
          queries: [
            {
              expr: `max (${metric('fedloop_latest_window_timestamp_seconds')}) * 1000`,
              legend: 'event time',
            },
          ],
        },
      ],
    },
  ],
};
