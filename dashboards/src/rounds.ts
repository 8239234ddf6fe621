import { maxBy, metric, ofLatestRound, points, sumBy } from './promql';
import { HIDDEN, POINTS, type DashboardSpec } from './spec';

const NO_ROUND = 'No round has a result yet: fedloop round start';
const ROUND_STEPS =
  'activity=~"ask|select|trainLocals|scoreLocals|aggregate|sumPanels|refit|scoreProposals|deploy|evaluate|decide|feedBack"';

/** What each round made, on what evidence it was decided, and where its time went. */
export const roundsDashboard: DashboardSpec = {
  uid: 'fedloop-rounds',
  file: 'round-by-round',
  title: 'Round by round',
  description:
    'What each federated round made, how its candidate did against the champion, and where the time went.',
  rows: [
    {
      title: 'Rounds',
      panels: [
        {
          kind: 'stat',
          title: 'Latest round',
          description: 'Number of the latest round that has a result.',
          unit: 'none',
          noData: NO_ROUND,
          width: 4,
          height: 4,
          query: { expr: maxBy([], 'fedloop_round_number'), legend: 'round' },
        },
        {
          kind: 'stat',
          title: 'It decided',
          description:
            'promoted: the candidate serves now. rejected: it was worse. kept: the evidence was not enough, the champion stays.',
          unit: 'none',
          noData: NO_ROUND,
          width: 5,
          height: 4,
          text: 'name',
          query: {
            expr: ofLatestRound(['version', 'decision'], 'fedloop_round_info'),
            legend: '{{version}} {{decision}}',
          },
        },
        {
          kind: 'stat',
          title: 'Change',
          description: 'Candidate minus champion on the same device-windows of the latest round.',
          unit: POINTS,
          decimals: 2,
          noData: NO_ROUND,
          width: 4,
          height: 4,
          thresholds: { base: 'red', steps: [{ from: 0, colour: 'green' }] },
          query: {
            expr: points(ofLatestRound([], 'fedloop_round_accuracy_change_ratio', 'estimate="mean"')),
            legend: 'change',
          },
        },
        {
          kind: 'stat',
          title: 'Promoted of all',
          description: 'Share of the rounds with a result whose candidate was promoted.',
          unit: 'percentunit',
          decimals: 0,
          noData: NO_ROUND,
          width: 4,
          height: 4,
          query: {
            expr: `sum (${metric('fedloop_rounds_total', 'decision="promoted"')}) / sum (${metric('fedloop_rounds_total')})`,
            legend: 'promoted',
          },
        },
        {
          kind: 'stat',
          title: 'Failed',
          description:
            'Rounds that failed since the rounds worker started; those that a person cancelled are not among them. Temporal’s UI shows where they failed.',
          unit: 'none',
          noData: 'No rounds worker is scraped.',
          width: 3,
          height: 4,
          thresholds: { base: 'green', steps: [{ from: 1, colour: 'yellow' }] },
          query: { expr: sumBy([], 'fedloop_rounds_ended_early_total', 'end="failed"'), legend: 'failed' },
        },
        {
          kind: 'bars',
          title: 'Rounds by decision',
          description: 'All rounds with a result.',
          unit: 'none',
          min: 0,
          noData: NO_ROUND,
          width: 4,
          height: 4,
          queries: (
            [
              ['promoted', 'green'],
              ['kept', 'yellow'],
              ['rejected', 'red'],
            ] as const
          ).map(([decision, colour]) => ({
            expr: maxBy([], 'fedloop_rounds_total', `decision="${decision}"`),
            legend: decision,
            colour,
          })),
        },
        {
          kind: 'table',
          title: 'The latest rounds',
          description: 'Each round with its candidate, the champion it stood against, and what came of it.',
          unit: 'none',
          noData: NO_ROUND,
          width: 24,
          height: 8,
          by: 'round',
          newestFirst: true,
          labels: { version: 'version', champion: 'champion', strategy: 'strategy', decision: 'decision' },
          queries: [
            {
              expr: maxBy(['round', 'version', 'champion', 'strategy', 'decision'], 'fedloop_round_info'),
              legend: HIDDEN,
            },
            {
              expr: maxBy(['round'], 'fedloop_round_accuracy_ratio', 'measured="candidate"'),
              legend: 'accuracy',
              unit: 'percentunit',
            },
            {
              expr: points(maxBy(['round'], 'fedloop_round_accuracy_change_ratio', 'estimate="mean"')),
              legend: 'change',
              unit: POINTS,
            },
            {
              expr: points(maxBy(['round'], 'fedloop_round_accuracy_change_ratio', 'estimate="low"')),
              legend: '95 %: from',
              unit: POINTS,
            },
            {
              expr: points(maxBy(['round'], 'fedloop_round_accuracy_change_ratio', 'estimate="high"')),
              legend: 'to',
              unit: POINTS,
            },
            { expr: maxBy(['round'], 'fedloop_round_evaluations'), legend: 'forecasts', unit: 'locale' },
            {
              expr: maxBy(['round'], 'fedloop_round_devices', 'outcome="used"'),
              legend: 'devices',
              unit: 'locale',
            },
          ],
        },
      ],
    },
    {
      title: 'Evidence',
      panels: [
        {
          kind: 'grouped-bars',
          title: 'Candidate, champion and persistence',
          description: 'Accuracy of the three on the very device-windows that the round was judged on.',
          unit: 'percentunit',
          decimals: 1,
          noData: NO_ROUND,
          width: 12,
          height: 8,
          by: 'round',
          queries: [
            {
              expr: maxBy(['round'], 'fedloop_round_accuracy_ratio', 'measured="candidate"'),
              legend: 'candidate',
              colour: 'blue',
            },
            {
              expr: maxBy(['round'], 'fedloop_round_accuracy_ratio', 'measured="champion"'),
              legend: 'champion',
              colour: 'green',
            },
            {
              expr: maxBy(['round'], 'fedloop_round_accuracy_ratio', 'measured="persistence"'),
              legend: 'persistence',
              colour: 'gray',
            },
          ],
        },
        {
          kind: 'grouped-bars',
          title: 'Change with its 95 % interval',
          description:
            'Candidate minus champion. Intervals know that devices of one recorded stretch, and windows of one hour, share their weather. An interval around zero: chance explains it.',
          unit: POINTS,
          decimals: 2,
          noData: NO_ROUND,
          width: 12,
          height: 8,
          by: 'round',
          queries: (
            [
              ['low', 'gray'],
              ['mean', 'blue'],
              ['high', 'gray'],
            ] as const
          ).map(([estimate, colour]) => ({
            expr: points(maxBy(['round'], 'fedloop_round_accuracy_change_ratio', `estimate="${estimate}"`)),
            legend: estimate,
            colour,
          })),
        },
      ],
    },
    {
      title: 'Local models',
      panels: [
        {
          kind: 'grouped-bars',
          title: 'Self-reported against real',
          description:
            'Mean accuracy that local models report of their own training rows, and that panels of devices which did not train found.',
          unit: 'percentunit',
          decimals: 1,
          noData: NO_ROUND,
          width: 8,
          height: 8,
          by: 'round',
          queries: [
            {
              expr: maxBy(['round'], 'fedloop_round_local_accuracy_ratio', 'source="self-reported"'),
              legend: 'self-reported',
              colour: 'orange',
            },
            {
              expr: maxBy(['round'], 'fedloop_round_local_accuracy_ratio', 'source="real"'),
              legend: 'real',
              colour: 'blue',
            },
          ],
        },
        {
          kind: 'grouped-bars',
          title: 'Devices trained and used',
          description: 'Local models that were trained, and those whose update went into the candidate.',
          unit: 'none',
          noData: NO_ROUND,
          width: 8,
          height: 8,
          by: 'round',
          queries: (['trained', 'used'] as const).map((outcome) => ({
            expr: maxBy(['round'], 'fedloop_round_devices', `outcome="${outcome}"`),
            legend: outcome,
          })),
        },
        {
          kind: 'bars',
          title: 'Left out, and why',
          description:
            'Devices of the latest round whose update took no part. worse-than-median and not-chosen are the strategy’s choice; the others are faults of the update.',
          unit: 'none',
          min: 0,
          noData: 'Nobody was left out of the latest round, or there is none yet.',
          width: 8,
          height: 8,
          queries: [
            {
              expr: `${ofLatestRound(['reason'], 'fedloop_round_devices_left_out')} > 0`,
              legend: '{{reason}}',
            },
          ],
        },
        {
          kind: 'grouped-bars',
          title: 'Spread of aggregation weights',
          description:
            'Weight of a local model as a multiple of an equal share, by percentile over the models. All at 1: everybody counts alike. A high most: one device has a lot to say.',
          unit: 'none',
          decimals: 2,
          noData: NO_ROUND,
          width: 24,
          height: 7,
          by: 'round',
          queries: (
            [
              ['0', 'least'],
              ['10', '10 %'],
              ['50', 'median'],
              ['90', '90 %'],
              ['100', 'most'],
            ] as const
          ).map(([percentile, legend]) => ({
            expr: maxBy(['round'], 'fedloop_round_aggregation_weight_ratio', `percentile="${percentile}"`),
            legend,
          })),
        },
      ],
    },
    {
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
    },
  ],
};
