import { NO_ROUND } from '../no-data';
import { maxBy, metric, ofLatestRound, points, sumBy } from '../promql';
import { HIDDEN, POINTS, type Row } from '../spec';

/** Results of the rounds: single figures and a table. */
export const roundsRow: Row = {
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
};
