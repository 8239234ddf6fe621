import { NO_ROUND, NOT_MEASURED } from '../no-data';
import { localAccuracy, maxBy, ofServingVersions } from '../promql';
import { HIDDEN, type Row } from '../spec';

/** Accuracy per version, over time, by stage, and against the claims of local models. */
export const accuracyRow: Row = {
  title: 'Accuracy per version',
  panels: [
    {
      kind: 'grouped-bars',
      title: 'Accuracy per version',
      description:
        'Real accuracy of each version that serves, has served or is being tried, over everything it was measured on: of its own forecasts, of those as served with what devices have learnt, and of forecasting no change there. Versions were not measured on the same windows: to compare two, look at the rounds, which pair them.',
      unit: 'percentunit',
      decimals: 0,
      noData: NOT_MEASURED,
      width: 10,
      height: 9,
      by: 'version',
      sortBy: 'round',
      queries: [
        { expr: ofServingVersions(maxBy(['version', 'round'], 'fedloop_model_info')), legend: HIDDEN },
        {
          expr: ofServingVersions(maxBy(['version'], 'fedloop_model_accuracy_ratio', 'scope="lifetime"')),
          legend: 'accuracy',
          colour: 'blue',
        },
        {
          expr: ofServingVersions(maxBy(['version'], 'fedloop_model_served_accuracy_ratio')),
          legend: 'as served',
          colour: 'green',
        },
        {
          expr: ofServingVersions(
            maxBy(['version'], 'fedloop_model_persistence_accuracy_ratio', 'scope="lifetime"'),
          ),
          legend: 'persistence there',
          colour: 'gray',
        },
      ],
    },
    {
      kind: 'timeseries',
      title: 'Accuracy over time',
      description:
        'Accuracy of each version in force, window by window, with persistence (no change) as the floor. At any time all versions see the same windows.',
      unit: 'percentunit',
      decimals: 1,
      noData: NOT_MEASURED,
      width: 14,
      height: 9,
      queries: [
        {
          expr: maxBy(['version'], 'fedloop_model_accuracy_ratio', 'scope="window"'),
          legend: '{{version}}',
        },
        {
          expr: maxBy([], 'fedloop_model_persistence_accuracy_ratio', 'scope="window"', 'stage="champion"'),
          legend: 'persistence',
          colour: 'gray',
        },
      ],
    },
    {
      kind: 'timeseries',
      title: 'Champion against candidate',
      description:
        'Live accuracy by stage; of two candidates, the better. A candidate is judged beside the champion on the same windows; shadow is the champion’s predecessor, kept so that a rollback has figures to go by.',
      unit: 'percentunit',
      decimals: 1,
      noData: 'No version is in force: a first round makes one.',
      width: 12,
      height: 8,
      queries: (
        [
          ['champion', 'green'],
          ['candidate', 'blue'],
          ['shadow', 'orange'],
        ] as const
      ).map(([stage, colour]) => ({
        expr: maxBy([], 'fedloop_model_accuracy_ratio', 'scope="window"', `stage="${stage}"`),
        legend: stage,
        colour,
      })),
    },
    {
      kind: 'grouped-bars',
      title: 'What local models claim, and what is real',
      description:
        'By round: accuracy that local models report of themselves, what they reach on devices that did not train, and what the aggregated candidate reached live. The usual server believes the first.',
      unit: 'percentunit',
      decimals: 1,
      noData: NO_ROUND,
      width: 12,
      height: 8,
      by: 'round',
      queries: [
        {
          expr: localAccuracy('self-reported'),
          legend: 'locals claim',
          colour: 'orange',
        },
        {
          expr: localAccuracy('real'),
          legend: 'locals, real',
          colour: 'gray',
        },
        {
          expr: maxBy(['round'], 'fedloop_round_accuracy_ratio', 'measured="candidate"'),
          legend: 'candidate, live',
          colour: 'blue',
        },
      ],
    },
  ],
};
