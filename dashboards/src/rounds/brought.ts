import { NO_ROUND } from '../no-data';
import { maxBy, maxByRow, points } from '../promql';
import { POINTS, type Row } from '../spec';

const NO_SITES = 'No round has measured what each of several sites brought.';

/** What the networks are worth beside a line, and what each site brought to them. */
export const broughtRow: Row = {
  title: 'Linear model and contributions',
  panels: [
    {
      kind: 'grouped-bars',
      title: 'Linear model against the networks, same device-windows',
      description:
        'Accuracy of the linear model of each round and of the network elected beside it, on the device-windows that both forecast. fedloop status says whether the networks are shown to beat it.',
      unit: 'percentunit',
      decimals: 1,
      noData: NO_ROUND,
      width: 10,
      height: 8,
      by: 'round',
      queries: (
        [
          ['linear', 'linear model', 'orange'],
          ['network', 'network', 'blue'],
        ] as const
      ).map(([measured, legend, colour]) => ({
        expr: maxBy(['round'], 'fedloop_round_linear_accuracy_ratio', `measured="${measured}"`),
        legend,
        colour,
      })),
    },
    {
      kind: 'table',
      title: 'Contributions by site and round',
      description:
        'The network of a round on devices that took no part, with all sites minus without the one; nothing goes by it. Names of sites are no metric’s label; the panel beside says how to get them.',
      unit: 'none',
      noData: NO_SITES,
      width: 8,
      height: 8,
      by: 'row',
      sortBy: 'round',
      newestFirst: true,
      labels: { round: 'round', site_number: 'site' },
      queries: [
        {
          expr: points(maxByRow('site_number', 'fedloop_round_site_soft_contribution_ratio', 'both kept')),
          legend: 'soft score',
          unit: POINTS,
        },
        {
          expr: points(maxByRow('site_number', 'fedloop_round_site_contribution_ratio', 'row alone')),
          legend: 'accuracy',
          unit: POINTS,
        },
        {
          expr: points(maxByRow('site_number', 'fedloop_round_site_contribution_error_ratio', 'row alone')),
          legend: 'standard error',
          unit: POINTS,
        },
      ],
    },
    {
      kind: 'text',
      title: 'Which site, which device?',
      description: 'How to get the names of sites, and the contributions of devices.',
      width: 6,
      height: 8,
      markdown: [
        'Names of sites and devices stay out of metrics. Sites are numbered as they came:',
        '',
        '```sh',
        'fedloop sql "SELECT row_number() OVER (ORDER BY min(round), site) AS site_number, site',
        '  FROM contributions WHERE device_id IS NULL GROUP BY site ORDER BY 1"',
        '```',
        '',
        'What each device brought to the latest round:',
        '',
        '```sh',
        'fedloop sql "FROM contributions WHERE device_id IS NOT NULL',
        '  AND round = (SELECT max(round) FROM contributions) ORDER BY soft_contribution DESC"',
        '```',
      ].join('\n'),
    },
  ],
};
