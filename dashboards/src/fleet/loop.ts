import { NOT_MEASURED } from '../no-data';
import { maxBy, points, ratePer } from '../promql';
import { HIDDEN, POINTS, type Row } from '../spec';

/** Versions, evaluations, live checks and drift. */
export const loopRow: Row = {
  title: 'What the loop is doing',
  panels: [
    {
      kind: 'table',
      title: 'Versions',
      description:
        'Every version in force and the latest others: its stage, its making, and what it was worth.',
      unit: 'none',
      noData: NOT_MEASURED,
      width: 16,
      height: 9,
      by: 'version',
      labels: { stage: 'stage', strategy: 'strategy', candidate: 'candidate', round: 'round' },
      sortBy: 'round',
      newestFirst: true,
      queries: [
        {
          expr: maxBy(['version', 'stage', 'strategy', 'candidate', 'round'], 'fedloop_model_info'),
          legend: HIDDEN,
        },
        {
          expr: maxBy(['version'], 'fedloop_model_accuracy_ratio', 'scope="lifetime"'),
          legend: 'accuracy',
          unit: 'percentunit',
        },
        {
          expr: points(maxBy(['version'], 'fedloop_model_advantage_ratio', 'scope="lifetime"')),
          legend: 'beyond persistence',
          unit: POINTS,
        },
        {
          expr: maxBy(['version'], 'fedloop_model_evaluations_total'),
          legend: 'forecasts',
          unit: 'locale',
        },
      ],
    },
    {
      kind: 'timeseries',
      title: 'Forecasts compared with what came',
      description:
        'Evaluations a second by version. While events come this must not be zero; every version in force is measured on the same windows.',
      unit: 'ops',
      noData: NOT_MEASURED,
      width: 8,
      height: 9,
      queries: [{ expr: ratePer(['version'], 'fedloop_model_evaluations_total'), legend: '{{version}}' }],
    },
    {
      kind: 'bars',
      title: 'Drift and checks',
      description:
        'Between rounds the champion is compared with its predecessor and with persistence. Checks by outcome, and changes that drift detectors found in its errors; worse asks for a round.',
      unit: 'none',
      min: 0,
      noData: 'No analytics worker is scraped.',
      width: 8,
      height: 8,
      queries: [
        { expr: maxBy(['action'], 'fedloop_champion_checks_total'), legend: 'checks: {{action}}' },
        {
          expr: maxBy(['detector', 'change'], 'fedloop_drift_alarms_total'),
          legend: '{{detector}}: {{change}}',
        },
      ],
    },
    {
      kind: 'timeseries',
      title: 'Beyond persistence over time',
      description:
        'The champion’s accuracy minus that of persistence on the same device-windows. Drift detection takes off less of it: as much as persistence says of the champion’s errors.',
      unit: POINTS,
      decimals: 1,
      noData: NOT_MEASURED,
      width: 16,
      height: 8,
      queries: [
        {
          expr: points(maxBy([], 'fedloop_model_advantage_ratio', 'stage="champion"', 'scope="window"')),
          legend: 'latest window',
        },
        {
          expr: points(maxBy([], 'fedloop_model_advantage_ratio', 'stage="champion"', 'scope="lifetime"')),
          legend: 'over its life',
        },
      ],
    },
  ],
};
