import { NOT_MEASURED } from '../no-data';
import { maxBy } from '../promql';
import { TARGETS_UNIT, type Row } from '../spec';

/** Devices by the champion’s accuracy on them. */
export const devicesRow: Row = {
  title: 'Which devices suffer',
  panels: [
    {
      kind: 'bars',
      title: 'Devices by their own accuracy',
      description:
        'How many devices are served how well by the champion, over its latest 24 windows; bands in percent. Devices in the lowest band are often broken: look at them first.',
      unit: 'none',
      min: 0,
      noData: NOT_MEASURED,
      width: 8,
      height: 9,
      queries: [{ expr: maxBy(['band'], 'fedloop_champion_devices'), legend: '{{band}} %' }],
    },
    {
      kind: 'table',
      title: 'Worst devices',
      description:
        'The ten devices with the largest mean absolute error over the champion’s latest 24 windows. Ids are no metric’s label; the panel beside says how to get them.',
      unit: 'none',
      noData: NOT_MEASURED,
      width: 8,
      height: 9,
      by: 'rank',
      labels: { unit: 'unit' },
      queries: [
        {
          expr: maxBy(['rank', 'unit'], 'fedloop_champion_worst_device_mae'),
          legend: 'mean absolute error',
          unit: TARGETS_UNIT,
        },
        {
          expr: maxBy(['rank'], 'fedloop_champion_worst_device_bias'),
          legend: 'bias',
          unit: TARGETS_UNIT,
        },
        {
          expr: maxBy(['rank'], 'fedloop_champion_worst_device_accuracy_ratio'),
          legend: 'accuracy',
          unit: 'percentunit',
        },
      ],
    },
    {
      kind: 'text',
      title: 'Who are they?',
      description: 'How to get the names of the worst devices.',
      width: 8,
      height: 9,
      markdown: [
        'Device ids stay out of metrics: a fleet has too many of them. The tables name the same devices:',
        '',
        '```sh',
        'fedloop sql "FROM champion_devices ORDER BY mae DESC LIMIT 10"',
        '```',
        '',
        'And what one of them sent, beside what was forecast:',
        '',
        '```sh',
        'fedloop sql "SELECT window_start, prediction_result, actual_result',
        "  FROM model_evaluations WHERE device_id = '…' ORDER BY 1\"",
        '```',
      ].join('\n'),
    },
  ],
};
