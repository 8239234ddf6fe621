import { NO_ROUND } from '../no-data';
import { maxBy, points } from '../promql';
import { POINTS, type Row } from '../spec';

/** Figures behind the decision of each round. */
export const evidenceRow: Row = {
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
        'Candidate minus champion. Intervals are clustered by recorded series and by window, because devices of one cluster, and of one window, have easy and hard times together. An interval around zero: chance explains it.',
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
};
