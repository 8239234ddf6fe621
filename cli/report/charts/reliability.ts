import { type ReliabilityRow } from '../queries/versions';
import { percent } from '../../shared/format';
import { COLOURS, valueAxis, type Chart, type Layout } from './draw';

/** Diameters of the largest and smallest bubble in pixels; areas are proportional to the numbers of forecasts. */
const MAX_PIXELS = 34;
const MIN_PIXELS = 6;

/** Stated confidence against the share of correct forecasts. */
export function reliabilityChart(rows: readonly ReliabilityRow[], layout: Layout): Chart {
  const most = Math.max(...rows.map(({ n }) => n));
  const share = valueAxis('', (value) => percent(value, 0));
  const wide = layout === 'wide';
  return {
    height: wide ? 400 : 360,
    option: {
      grid: { top: 30, bottom: 26, left: 16, right: 24, containLabel: true },
      xAxis: {
        ...share,
        name: wide ? 'confidence that a forecast stated' : 'stated confidence',
        min: 0,
        max: 1,
        interval: wide ? 0.1 : 0.2,
      },
      yAxis: {
        ...share,
        name: 'share that was right',
        nameLocation: 'end',
        nameGap: 14,
        nameTextStyle: { color: COLOURS.muted, align: 'left' },
        min: 0,
        max: 1,
        interval: 0.2,
      },
      series: [
        {
          type: 'line',
          silent: true,
          showSymbol: false,
          lineStyle: { color: COLOURS.muted, type: [4, 4], width: 1.5 },
          data: [
            [0, 0],
            [1, 1],
          ],
        },
        {
          type: 'line',
          silent: true,
          showSymbol: false,
          lineStyle: { color: COLOURS.accent, width: 2 },
          data: rows.map(({ confidence, accuracy }) => [confidence, accuracy]),
        },
        {
          type: 'scatter',
          silent: true,
          symbolSize: (_value, { dataIndex }) =>
            Math.max(MIN_PIXELS, MAX_PIXELS * Math.sqrt((rows[dataIndex]?.n ?? 0) / most)),
          itemStyle: { color: COLOURS.accent, opacity: 0.85, borderColor: COLOURS.surface, borderWidth: 1.5 },
          data: rows.map(({ confidence, accuracy }) => [confidence, accuracy]),
        },
      ],
    },
  };
}
