import { categoryAxis, COLOURS, valueAxis, type Chart, type Layout, type RenderItem } from './draw';

/** Values of one thing, joined by a line: before and after, claimed and real. */
interface Dumbbell {
  readonly name: string;
  /** In the order of the kinds; null where nothing was measured. */
  readonly values: readonly (number | null)[];
}

export interface Kind {
  readonly name: string;
  readonly colour: string;
  readonly filled: boolean;
}

const LINE_HEIGHT = 30;

/** Rows of joined dots over one axis of shares. */
export function dumbbellChart(
  rows: readonly Dumbbell[],
  kinds: readonly Kind[],
  options: {
    readonly axis: string;
    readonly tick: (value: number) => string;
    /** `narrow` has room for fewer ticks. */
    readonly layout: Layout;
  },
): Chart {
  return {
    height: rows.length * LINE_HEIGHT + 64,
    option: {
      grid: { top: 8, bottom: 26, left: 8, right: 24, containLabel: true },
      xAxis: {
        ...valueAxis(options.axis, options.tick),
        ...(options.layout === 'narrow' ? { splitNumber: 3 } : {}),
      },
      yAxis: { ...categoryAxis(rows.map(({ name }) => name)), inverse: true },
      series: [
        {
          type: 'custom',
          silent: true,
          encode: { x: [1, 2], y: 0 },
          data: rows.flatMap(({ values }, index) => {
            const known = values.filter((value) => value !== null);
            return known.length < 2 ? [] : [[index, Math.min(...known), Math.max(...known)]];
          }),
          renderItem: joiningLine,
        },
        ...kinds.map(({ name, colour, filled }, kind) => ({
          type: 'scatter' as const,
          name,
          silent: true,
          symbol: 'circle',
          symbolSize: 12,
          itemStyle: {
            color: filled ? colour : COLOURS.surface,
            borderColor: colour,
            borderWidth: 2.5,
            opacity: 1,
          },
          data: rows.flatMap(({ values }, index) => {
            const value = values[kind] ?? null;
            return value === null ? [] : [[value, index]];
          }),
        })),
      ],
    },
  };
}

const joiningLine: RenderItem = (_, api) => {
  const row = api.value(0);
  const [x1 = 0, y1 = 0] = api.coord([api.value(1), row]);
  const [x2 = 0, y2 = 0] = api.coord([api.value(2), row]);
  return {
    type: 'line',
    shape: { x1, y1, x2, y2 },
    style: { stroke: COLOURS.quiet, lineWidth: 3, fill: 'none' },
  };
};
