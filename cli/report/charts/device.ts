import { type SeriesRow } from '../queries/devices';
import { type TargetWords } from '../../../core/contracts/task';
import { inUnit, level } from '../../shared/quantities';
import { COLOURS, valueAxis, type Chart } from './draw';
import { clock } from './windows';

/** One device: its measured means, the band around them that counts as correct, and the forecasts. */
export function deviceChart(rows: readonly SeriesRow[], target: TargetWords): Chart {
  const { tolerance } = target;
  const forecasts = (correct: boolean): (number | null)[] =>
    rows.map(({ prediction, is_correct }) => (is_correct === correct ? prediction : null));
  const dots = (name: string, colour: string, data: readonly (number | null)[]): object => ({
    type: 'scatter',
    name,
    silent: true,
    symbolSize: 7,
    itemStyle: { color: colour, opacity: 1, borderColor: COLOURS.surface, borderWidth: 1 },
    data: [...data],
  });
  return {
    height: 210,
    option: {
      grid: { top: 12, bottom: 28, left: 4, right: 10, containLabel: true },
      xAxis: {
        type: 'category',
        data: rows.map(({ window_start }) => clock(window_start)),
        axisLine: { lineStyle: { color: COLOURS.line } },
        axisTick: { show: false },
        axisLabel: { color: COLOURS.muted, hideOverlap: true },
      },
      yAxis: { ...valueAxis('', (value) => inUnit(level(value), target)), splitNumber: 4 },
      series: [
        {
          type: 'line',
          silent: true,
          showSymbol: false,
          stack: 'band',
          stackStrategy: 'all',
          lineStyle: { color: 'transparent' },
          data: rows.map(({ actual }) => actual - tolerance),
        },
        {
          type: 'line',
          silent: true,
          showSymbol: false,
          stack: 'band',
          stackStrategy: 'all',
          lineStyle: { color: 'transparent' },
          areaStyle: { color: COLOURS.good, opacity: 0.14 },
          data: rows.map(() => 2 * tolerance),
        },
        {
          type: 'line',
          silent: true,
          showSymbol: false,
          lineStyle: { color: COLOURS.ink, width: 1.75 },
          data: rows.map(({ actual }) => actual),
        },
        dots('correct', COLOURS.good, forecasts(true)),
        dots('wrong', COLOURS.bad, forecasts(false)),
      ],
    },
  };
}
