import { categoryAxis, COLOURS, valueAxis, type Chart, type Layout, type RenderItem } from './draw';

/** A mean with its interval, on a line of its own. */
interface IntervalLine {
  readonly name: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly colour: string;
  readonly strong: boolean;
}

const LINE_HEIGHT = 34;
const AROUND = 76;
/** Half the height of the bars that end an interval, in pixels. */
const CAP = 5;

/** Means with intervals, one below the other; a dashed line where `reference` stands. */
export function intervalChart(
  lines: readonly IntervalLine[],
  options: {
    readonly axis: string;
    readonly format: (value: number) => string;
    readonly tick: (value: number) => string;
    readonly reference: { readonly value: number; readonly name: string };
  },
  layout: Layout,
): Chart {
  return {
    height: lines.length * LINE_HEIGHT + AROUND,
    option: {
      grid: { top: 26, bottom: 26, left: 8, right: layout === 'wide' ? 96 : 72, containLabel: true },
      xAxis: {
        ...valueAxis(options.axis, options.tick),
      },
      yAxis: { ...categoryAxis(lines.map(({ name }) => name)), inverse: true },
      series: [
        {
          type: 'custom',
          silent: true,
          encode: { x: [1, 2, 3], y: 0 },
          data: lines.map(({ mean, low, high }, index) => [index, mean, low, high]),
          renderItem: renderInterval(lines, options.format),
          markLine: {
            silent: true,
            symbol: 'none',
            lineStyle: { color: COLOURS.muted, type: [4, 4], width: 1 },
            label: {
              formatter: options.reference.name,
              color: COLOURS.muted,
              position: 'start',
              distance: 4,
            },
            data: [{ xAxis: options.reference.value }],
          },
        },
        // Invisible: it makes the axis include the dashed line.
        {
          type: 'scatter',
          silent: true,
          symbolSize: 0,
          itemStyle: { color: 'transparent' },
          data: [[options.reference.value, 0]],
        },
      ],
    },
  };
}

function renderInterval(lines: readonly IntervalLine[], format: (value: number) => string): RenderItem {
  return (params, api) => {
    const line = lines[params.dataIndex];
    if (line === undefined) return null;
    const at = (value: number): readonly [number, number] => {
      const [x = 0, y = 0] = api.coord([value, params.dataIndex]);
      return [x, y];
    };
    const [x, y] = at(line.mean);
    const [left] = at(line.low);
    const [right] = at(line.high);
    const stroke = { stroke: line.colour, lineWidth: line.strong ? 2.5 : 1.75, fill: 'none' };
    const segment = (x1: number, y1: number, x2: number, y2: number): object => ({
      type: 'line',
      shape: { x1, y1, x2, y2 },
      style: stroke,
    });
    return {
      type: 'group',
      children: [
        segment(left, y, right, y),
        segment(left, y - CAP, left, y + CAP),
        segment(right, y - CAP, right, y + CAP),
        {
          type: 'circle',
          shape: { cx: x, cy: y, r: line.strong ? 6 : 5 },
          style: { fill: line.colour, stroke: COLOURS.surface, lineWidth: 2 },
        },
        {
          type: 'text',
          style: {
            text: format(line.mean),
            x: right + 12,
            y,
            fill: COLOURS.ink,
            fontSize: 13,
            fontWeight: line.strong ? 'bold' : 'normal',
            verticalAlign: 'middle',
          },
        },
      ],
    } as ReturnType<RenderItem>;
  };
}
