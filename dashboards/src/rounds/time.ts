import { metric } from '../promql';
import { type Row } from '../spec';

const ROUND_STEPS =
  'activity=~"ask|select|trainLocals|scoreLocals|aggregate|sumPanels|refit|scoreProposals|deploy|evaluate|decide|feedBack"';

/** Time and failures of steps. */
export const timeRow: Row = {
  title: 'Time',
  panels: [
    {
      kind: 'bars',
      title: 'Mean time by step',
      description:
        'Mean time of a try of each step since the workers started. evaluate waits for live windows, so it is as long as they are.',
      unit: 's',
      decimals: 2,
      min: 0,
      noData: 'No step has run since the workers started.',
      width: 12,
      height: 9,
      queries: [
        {
          expr: `sort_desc (sum by (activity) (${metric('fedloop_activity_duration_seconds_sum', ROUND_STEPS, 'outcome="completed"')}) / (sum by (activity) (${metric('fedloop_activity_duration_seconds_count', ROUND_STEPS, 'outcome="completed"')}) > 0))`,
          legend: '{{activity}}',
        },
      ],
    },
    {
      kind: 'timeseries',
      title: 'Steps that failed',
      description:
        'Tries that failed, by step, in five minutes. Temporal tries again; a step that fails again and again ends its round.',
      unit: 'none',
      min: 0,
      noData: 'No step failed in this time.',
      width: 12,
      height: 9,
      queries: [
        {
          expr: `sum by (activity) (increase(${metric('fedloop_activity_duration_seconds_count', 'outcome="failed"')}[5m])) > 0`,
          legend: '{{activity}}',
        },
      ],
    },
  ],
};
