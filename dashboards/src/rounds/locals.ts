import { NO_ROUND } from '../no-data';
import { localAccuracy, maxBy, ofLatestRound } from '../promql';
import { type Row } from '../spec';

/** Local models: claims, use, weights. */
export const localsRow: Row = {
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
          expr: localAccuracy('self-reported'),
          legend: 'self-reported',
          colour: 'orange',
        },
        {
          expr: localAccuracy('real'),
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
      noData: 'No device was left out of the latest round, or there is none yet.',
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
        'Weight of a local model as a multiple of an equal share, by percentile over the models. All at 1: every model counts alike. A high maximum: one device has a large influence.',
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
};
