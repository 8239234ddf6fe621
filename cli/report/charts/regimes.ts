import { type RegimeRow } from '../queries/versions';
import { type TargetWords } from '../../../core/contracts/task';
import { percent } from '../../shared/format';
import { inUnit, level, signedLevel } from '../../shared/quantities';
import { categoryAxis, COLOURS, valueAxis, type Chart, type Layout } from './draw';

/** Distribution of the errors by regime: middle half as a box, middle 90 % as whiskers, over the band that counts as correct. */
export function regimesChart(rows: readonly RegimeRow[], target: TargetWords, layout: Layout): Chart {
  const { tolerance } = target;
  const edge = Math.max(tolerance, ...rows.flatMap(({ p05, p95 }) => [Math.abs(p05), Math.abs(p95)]));
  // Whole tolerances on both sides, however large one is.
  const bound = tolerance * Math.ceil(edge / tolerance);
  return {
    height: rows.length * 46 + 84,
    option: {
      grid: { top: 30, bottom: 26, left: 8, right: 24, containLabel: true },
      xAxis: {
        ...valueAxis(inUnit('forecast − actual,', target), signedLevel),
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
            data: [
              [
                { name: `correct: within ${inUnit(level(tolerance), target)}`, xAxis: -tolerance },
                { xAxis: tolerance },
              ],
            ],
          },
        },
      ],
    },
  };
}
