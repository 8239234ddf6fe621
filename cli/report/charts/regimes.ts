import { type RegimeRow } from '../queries/versions';
import { percent, signed } from '../../shared/format';
import { categoryAxis, COLOURS, valueAxis, type Chart, type Layout } from './draw';

/** Distribution of the errors by regime: middle half as a box, middle 90 % as whiskers, over the band that counts as correct. */
export function regimesChart(rows: readonly RegimeRow[], tolerance: number, layout: Layout): Chart {
  const edge = Math.max(tolerance, ...rows.flatMap(({ p05, p95 }) => [Math.abs(p05), Math.abs(p95)]));
  const bound = Math.ceil(edge);
  return {
    height: rows.length * 46 + 84,
    option: {
      grid: { top: 30, bottom: 26, left: 8, right: 24, containLabel: true },
      xAxis: {
        ...valueAxis('forecast − actual, °C', (value) => signed(value, Number.isInteger(value) ? 0 : 1)),
        min: -bound,
        max: bound,
      },
      yAxis: [
        { ...categoryAxis(rows.map(({ regime }) => regime)), inverse: true },
        {
          ...categoryAxis(
            rows.map(({ accuracy }) => `${percent(accuracy)}${layout === 'wide' ? ' right' : ''}`),
          ),
          inverse: true,
          position: 'right',
        },
      ],
      series: [
        {
          type: 'boxplot',
          silent: true,
          layout: 'horizontal',
          boxWidth: [14, 22],
          itemStyle: { color: COLOURS.soft, borderColor: COLOURS.accent, borderWidth: 1.75 },
          data: rows.map(({ p05, p25, p50, p75, p95 }) => [p05, p25, p50, p75, p95]),
          markArea: {
            silent: true,
            itemStyle: { color: COLOURS.good, opacity: 0.1 },
            label: { color: COLOURS.good, position: 'top', distance: 6 },
            data: [[{ name: `correct: within ${tolerance} °C`, xAxis: -tolerance }, { xAxis: tolerance }]],
          },
        },
      ],
    },
  };
}
