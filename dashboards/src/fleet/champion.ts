import { championsGain, maxBy, ofLatestRound, points, sumBy } from '../promql';
import { POINTS, type Row } from '../spec';
import { LAG_THRESHOLDS } from '../stream';

/** The champion at a glance: single figures. */
export const championRow: Row = {
  title: 'The champion',
  panels: [
    {
      kind: 'stat',
      title: 'Champion',
      description:
        'The version that serves. It is promoted when it beats the one before on the same live windows.',
      unit: 'none',
      noData: 'none yet',
      width: 3,
      height: 4,
      text: 'name',
      query: { expr: maxBy(['version'], 'fedloop_champion_info'), legend: '{{version}}' },
    },
    {
      kind: 'stat',
      title: 'Real accuracy',
      description:
        'Share of the champion’s forecasts that came within the tolerance, over everything it was measured on. Counted from model_evaluations.',
      unit: 'percentunit',
      decimals: 1,
      noData: 'not measured',
      width: 3,
      height: 4,
      query: {
        expr: maxBy([], 'fedloop_model_accuracy_ratio', 'stage="champion"', 'scope="lifetime"'),
        legend: 'accuracy',
      },
    },
    {
      kind: 'stat',
      title: 'Against the one before',
      description:
        'The champion’s accuracy minus that of the champion before it, on the device-windows of the round that promoted it.',
      unit: POINTS,
      decimals: 2,
      noData: 'no round yet',
      width: 4,
      height: 4,
      thresholds: { base: 'red', steps: [{ from: 0, colour: 'green' }] },
      query: { expr: points(championsGain()), legend: 'change' },
    },
    {
      kind: 'stat',
      title: 'Beyond persistence',
      description:
        'The champion’s accuracy in the latest window minus that of forecasting no change, on the same device-windows. Drift detection watches this; below zero the model is worse than none.',
      unit: POINTS,
      decimals: 1,
      noData: 'not measured',
      width: 4,
      height: 4,
      thresholds: {
        base: 'red',
        steps: [
          { from: 0, colour: 'yellow' },
          { from: 5, colour: 'green' },
        ],
      },
      query: {
        expr: points(maxBy([], 'fedloop_model_advantage_ratio', 'stage="champion"', 'scope="window"')),
        legend: 'advantage',
      },
    },
    {
      kind: 'stat',
      title: 'Devices below 40 %',
      description:
        'Devices of which the champion got fewer than 40 % of its latest 24 windows right. Often they are broken: Which devices suffer, further down, says how bad the worst are.',
      unit: 'locale',
      noData: 'not measured',
      width: 3,
      height: 4,
      query: { expr: sumBy([], 'fedloop_champion_devices', 'band=~"00-20|20-40"'), legend: 'devices' },
    },
    {
      kind: 'stat',
      title: 'Stream lag',
      description: 'Events that wait to be read, over all partitions. Stream health shows which wait.',
      unit: 'locale',
      noData: 'no stream worker',
      width: 2,
      height: 4,
      thresholds: LAG_THRESHOLDS,
      query: { expr: sumBy([], 'fedloop_stream_lag_records'), legend: 'events' },
    },
    {
      kind: 'stat',
      title: 'Latest round',
      description:
        'What the latest round with a result came to. promoted: its candidate serves now. rejected: it was worse. kept: the evidence was not enough, the champion stays.',
      unit: 'none',
      noData: 'none yet',
      width: 3,
      height: 4,
      text: 'name',
      query: { expr: ofLatestRound(['decision'], 'fedloop_round_info'), legend: '{{decision}}' },
    },
    {
      kind: 'stat',
      title: 'Alerts',
      description: 'Alerts of Fedloop that are firing now; dashboards/rules.yml says what each means.',
      unit: 'none',
      noData: '0',
      width: 2,
      height: 4,
      thresholds: { base: 'green', steps: [{ from: 1, colour: 'red' }] },
      query: {
        expr: 'count (ALERTS{alertname=~"Fedloop.*",alertstate="firing"}) or vector(0)',
        legend: 'firing',
      },
    },
  ],
};
