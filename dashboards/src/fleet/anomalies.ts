import { maxBy } from '../promql';
import { type Row } from '../spec';

const NO_LABELS = 'Nobody knows of any device-window whether it has an anomaly: it takes events with labels.';

/** What versions predict of anomalies, and how much of it is true. */
export const anomaliesRow: Row = {
  title: 'Anomalies that it predicts',
  panels: [
    {
      kind: 'grouped-bars',
      title: 'Precision and recall by version',
      description:
        'Over the life of each version, on device-windows whose events are labelled: precision = part of the predicted anomalies that were actual ones, recall = part of the actual ones that were predicted. Low precision is a version that cries wolf.',
      unit: 'percentunit',
      decimals: 1,
      noData: NO_LABELS,
      width: 16,
      height: 8,
      by: 'version',
      queries: [
        {
          expr: maxBy(['version'], 'fedloop_model_anomaly_precision_ratio'),
          legend: 'precision',
          colour: 'blue',
        },
        { expr: maxBy(['version'], 'fedloop_model_anomaly_recall_ratio'), legend: 'recall', colour: 'green' },
      ],
    },
    {
      kind: 'bars',
      title: 'Anomalies: predicted against actual',
      description:
        'Device-windows of the latest window by the champion’s anomaly flag against the actual one, without those where both say normal. Much predicted alone: it overpredicts anomalies; much actual alone: it misses them.',
      unit: 'none',
      min: 0,
      noData: NO_LABELS,
      width: 8,
      height: 8,
      queries: (
        [
          ['true_positive', 'both say anomaly', 'green'],
          ['false_positive', 'predicted alone', 'orange'],
          ['false_negative', 'actual alone', 'red'],
        ] as const
      ).map(([outcome, legend, colour]) => ({
        expr: maxBy([], 'fedloop_model_anomaly_flags', 'stage="champion"', `outcome="${outcome}"`),
        legend,
        colour,
      })),
    },
  ],
};
