import { maxBy, metric, quantileOf, ratePer, sumBy } from './promql';
import { type DashboardSpec } from './spec';

const NO_WORKER = 'No worker is scraped: see the targets of Prometheus.';
const NO_SDK = 'No worker that is connected to Temporal is scraped.';
/** Temporal's server has workers of its own, under the same names. */
const OURS = 'task_queue=~"fedloop.*"';
const NO_WORK = 'Nothing ran in this time.';

/** The processes, and the metrics of Temporal's SDK. */
export const workersDashboard: DashboardSpec = {
  uid: 'fedloop-workers',
  file: 'workers-and-temporal',
  title: 'Workers & Temporal',
  description:
    'Whether every worker is there and has room, and how Temporal’s SDK sees its workflows and activities.',
  rows: [
    {
      title: 'Processes',
      panels: [
        {
          kind: 'bars',
          title: 'Up',
          description: 'Whether Prometheus can read each target.',
          unit: 'none',
          min: 0,
          max: 1,
          noData: NO_WORKER,
          width: 6,
          height: 8,
          words: { 0: { text: 'gone', colour: 'red' }, 1: { text: 'up', colour: 'green' } },
          queries: [{ expr: maxBy(['job', 'instance'], 'up'), legend: '{{job}} {{instance}}' }],
        },
        {
          kind: 'timeseries',
          title: 'Cores in use',
          description: 'Processor time a second. Training uses every core it is given, for a moment.',
          unit: 'short',
          decimals: 2,
          min: 0,
          noData: NO_WORKER,
          width: 6,
          height: 8,
          queries: [
            {
              expr: ratePer(['instance'], 'process_cpu_seconds_total', 'job=~"fedloop.*"'),
              legend: '{{instance}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Memory',
          description: 'Resident memory of each worker.',
          unit: 'decbytes',
          min: 0,
          noData: NO_WORKER,
          width: 6,
          height: 8,
          queries: [
            {
              expr: maxBy(['instance'], 'process_resident_memory_bytes', 'job=~"fedloop.*"'),
              legend: '{{instance}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Event loop lag, 99 %',
          description:
            'How long a process cannot answer because it computes. Over seconds: heartbeats and partitions are at risk.',
          unit: 's',
          min: 0,
          noData: NO_WORKER,
          width: 6,
          height: 8,
          queries: [
            { expr: maxBy(['instance'], 'nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}}' },
          ],
        },
      ],
    },
    {
      title: 'Temporal’s SDK',
      panels: [
        {
          kind: 'timeseries',
          title: 'Task slots free',
          description:
            'Room of each worker by kind of task. At 0 tasks wait in the queue: start another worker.',
          unit: 'none',
          min: 0,
          noData: NO_SDK,
          width: 8,
          height: 8,
          queries: [
            {
              expr: sumBy(['instance', 'worker_type'], 'temporal_worker_task_slots_available', OURS),
              legend: '{{instance}} {{worker_type}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Activities: wait before they start, 95 %',
          description:
            'From being scheduled to a worker taking it. Seconds mean that workers are missing or busy.',
          unit: 'ms',
          min: 0,
          noData: NO_WORK,
          width: 8,
          height: 8,
          queries: [
            {
              expr: quantileOf(0.95, 'temporal_activity_schedule_to_start_latency', ['task_queue']),
              legend: '{{task_queue}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Activities: time of execution, 95 %',
          description: 'By name, as the SDK measures it.',
          unit: 'ms',
          min: 0,
          noData: NO_WORK,
          width: 8,
          height: 8,
          queries: [
            {
              expr: quantileOf(0.95, 'temporal_activity_execution_latency', ['activity_type']),
              legend: '{{activity_type}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Workflow tasks: time of execution, 95 %',
          description:
            'How long workflow code takes between two events. Beyond a second Temporal takes it for stuck.',
          unit: 'ms',
          min: 0,
          noData: NO_WORK,
          width: 8,
          height: 8,
          queries: [
            {
              expr: quantileOf(0.95, 'temporal_workflow_task_execution_latency', ['workflow_type']),
              legend: '{{workflow_type}}',
            },
          ],
        },
        {
          kind: 'bars',
          title: 'Workflows ended',
          description: 'Workflows that completed, failed or were cancelled since the rounds worker started.',
          unit: 'none',
          min: 0,
          noData: 'No workflow ended since the rounds worker started.',
          width: 8,
          height: 8,
          queries: [
            {
              expr: sumBy(['workflow_type'], 'temporal_workflow_completed'),
              legend: '{{workflow_type}} completed',
            },
            {
              expr: sumBy(['workflow_type'], 'temporal_workflow_failed'),
              legend: '{{workflow_type}} failed',
            },
            {
              expr: sumBy(['workflow_type'], 'temporal_workflow_canceled'),
              legend: '{{workflow_type}} cancelled',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Requests to Temporal',
          description:
            'Requests a second, and those that failed. Failures while the server restarts are tried again.',
          unit: 'reqps',
          min: 0,
          noData: NO_SDK,
          width: 8,
          height: 8,
          queries: [
            { expr: ratePer([], 'temporal_request'), legend: 'requests' },
            { expr: ratePer(['operation'], 'temporal_request_failure'), legend: 'failed {{operation}}' },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Pollers',
          description:
            'Polls that wait for tasks, by queue and kind. None: no worker takes the tasks of that queue.',
          unit: 'none',
          min: 0,
          noData: NO_SDK,
          width: 12,
          height: 8,
          queries: [
            {
              expr: sumBy(['task_queue', 'poller_type'], 'temporal_num_pollers', OURS),
              legend: '{{task_queue}} {{poller_type}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Workflows in memory',
          description:
            'Sticky cache of the rounds worker: a workflow that falls out of it is replayed from its history.',
          unit: 'none',
          min: 0,
          noData: NO_SDK,
          width: 12,
          height: 8,
          queries: [{ expr: `sum (${metric('temporal_sticky_cache_size')})`, legend: 'workflows' }],
        },
      ],
    },
  ],
};
