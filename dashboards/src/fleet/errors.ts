import { NOT_MEASURED } from '../no-data';
import { maxBy } from '../promql';
import { TARGETS_UNIT, type Row } from '../spec';

/** Errors of the champion by regime, bias, skill, calibration. */
export const errorsRow: Row = {
  title: 'Which errors it makes',
  panels: [
    {
      kind: 'bars',
      title: 'Accuracy by regime',
      description:
        'The champion in the latest window, by what the target did. Rising or falling: by more than half a tolerance from the window before. Feedback trains most where it is weak.',
      unit: 'percentunit',
      decimals: 1,
      min: 0,
      max: 1,
      noData: NOT_MEASURED,
      width: 8,
      height: 8,
      queries: ['steady', 'rising', 'falling', 'normal', 'anomalous'].map((regime) => ({
        expr: maxBy([], 'fedloop_model_regime_accuracy_ratio', 'stage="champion"', `regime="${regime}"`),
        legend: regime,
        colour: 'blue' as const,
      })),
    },
    {
      kind: 'timeseries',
      title: 'Bias and mean error',
      description:
        'The champion: mean and mean absolute error, in the target’s unit. A bias that stays away from zero is a systematic error: the refit of the output layer is there to remove it.',
      unit: TARGETS_UNIT,
      noData: NOT_MEASURED,
      width: 5,
      height: 8,
      queries: [
        {
          expr: maxBy(['unit'], 'fedloop_model_mae', 'stage="champion"'),
          legend: 'mean absolute error in {{unit}}',
          colour: 'orange',
        },
        {
          expr: maxBy(['unit'], 'fedloop_model_bias', 'stage="champion"'),
          legend: 'bias in {{unit}}',
          colour: 'blue',
        },
      ],
    },
    {
      kind: 'timeseries',
      title: 'Skill by version',
      description:
        '1 − MAE / MAE of persistence, window by window. Zero is as good as forecasting no change; accuracy is blind where the target is easy to forecast, skill is not.',
      unit: 'percentunit',
      decimals: 1,
      noData: NOT_MEASURED,
      width: 5,
      height: 8,
      queries: [{ expr: maxBy(['version'], 'fedloop_model_skill_ratio'), legend: '{{version}}' }],
    },
    {
      kind: 'stat',
      title: 'Calibration error',
      description:
        'How far stated confidence is from being right, on average (expected calibration error, latest window). Small is good; above 15 % confidence should not be acted on.',
      unit: 'percentunit',
      decimals: 1,
      noData: NOT_MEASURED,
      width: 3,
      height: 8,
      thresholds: {
        base: 'green',
        steps: [
          { from: 0.1, colour: 'yellow' },
          { from: 0.15, colour: 'red' },
        ],
      },
      query: {
        expr: maxBy([], 'fedloop_model_calibration_error_ratio', 'stage="champion"'),
        legend: 'calibration error',
      },
    },
    {
      kind: 'stat',
      title: 'Target and tolerance',
      description:
        'What the fleet forecasts, its unit, and the tolerance: a forecast this close to the actual mean is correct. Set in the deployment file.',
      unit: TARGETS_UNIT,
      noData: 'no settings yet',
      width: 3,
      height: 8,
      text: 'name and value',
      query: { expr: maxBy(['target', 'unit'], 'fedloop_task_tolerance'), legend: '{{target}} in {{unit}}' },
    },
  ],
};
