import { type WindowRow } from '../queries/versions';
import { percent } from '../../shared/format';
import { COLOURS, LINE_COLOURS, valueAxis, type Chart, type Layout } from './draw';

/** `03:12`, of event time. */
export function clock(micros: number): string {
  return new Date(micros / 1000).toISOString().slice(11, 16);
}

/** Versions with rows, in their order. */
export function measuredOf(rows: readonly WindowRow[], versions: readonly string[]): readonly string[] {
  return versions.filter((version) => rows.some((row) => row.model_version === version));
}

/** Colour of the line at this index: the newest line has the page's accent, the others cycle through the line colours. */
export function colourOfLine(index: number, lines: number): string {
  const older = lines - 1 - index;
  return older === 0
    ? COLOURS.accent
    : (LINE_COLOURS.at(-1 - ((older - 1) % LINE_COLOURS.length)) ?? COLOURS.muted);
}

/** Accuracy of each version window by window, over that of persistence. */
export function windowsChart(
  rows: readonly WindowRow[],
  versions: readonly string[],
  champion: string | null,
  layout: Layout,
): Chart {
  const starts = [...new Set(rows.map(({ window_start }) => window_start))].sort((a, b) => a - b);
  const valuesOf = (pick: (start: number) => number | undefined): (number | null)[] =>
    starts.map((start) => pick(start) ?? null);
  const measured = measuredOf(rows, versions);
  return {
    height: layout === 'wide' ? 320 : 260,
    option: {
      grid: { top: 10, bottom: 26, left: 8, right: 16, containLabel: true },
      xAxis: {
        type: 'category',
        data: starts.map(clock),
        name: 'start of the live window (event time, UTC)',
        nameLocation: 'middle',
        nameGap: 30,
        nameTextStyle: { color: COLOURS.muted },
        axisLine: { lineStyle: { color: COLOURS.line } },
        axisTick: { show: false },
        axisLabel: { color: COLOURS.muted, hideOverlap: true },
      },
      yAxis: valueAxis('', (value) => percent(value, 0)),
      series: [
        {
          type: 'line',
          name: 'persistence',
          silent: true,
          showSymbol: false,
          lineStyle: { color: COLOURS.muted, type: [4, 4], width: 1.5 },
          itemStyle: { color: COLOURS.muted },
          data: valuesOf((start) => {
            const here = rows.filter(({ window_start }) => window_start === start);
            // Versions may differ in a device or two: use the one with the most devices.
            return here.sort((a, b) => b.evaluations - a.evaluations)[0]?.persistence_accuracy;
          }),
        },
        ...measured.map((version, index) => {
          const colour = colourOfLine(index, measured.length);
          return {
            type: 'line' as const,
            name: version,
            silent: true,
            symbol: 'circle',
            symbolSize: 5,
            showSymbol: true,
            lineStyle: { color: colour, width: version === champion ? 3 : 1.75 },
            itemStyle: { color: colour, opacity: 1 },
            data: valuesOf(
              (start) =>
                rows.find((row) => row.model_version === version && row.window_start === start)?.accuracy,
            ),
          };
        }),
      ],
    },
  };
}
