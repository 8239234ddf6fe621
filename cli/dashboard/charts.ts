import * as echarts from 'echarts';
import { formatValue } from './format-value';

/** One name, one colour, in all panels of a page. */
export type ColourOf = (name: string) => string;

const PALETTE = [
  '#4c8dd6',
  '#e0803c',
  '#3fa66b',
  '#b4569c',
  '#c9a227',
  '#d0524f',
  '#3fa7b5',
  '#8a6fd1',
  '#7f8c4a',
  '#c77fa5',
  '#5b6f8f',
  '#a8643a',
];

/** Colours in the order of asking. */
export function colours(): ColourOf {
  const known = new Map<string, string>();
  return (name) => {
    const colour = known.get(name) ?? PALETTE[known.size % PALETTE.length] ?? '#888888';
    known.set(name, colour);
    return colour;
  };
}

export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

export interface ChartScale {
  readonly unit: string;
  readonly decimals: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** Readable on white and on black. */
const INK = '#868c96';
const FAINT = 'rgba(134, 140, 150, 0.25)';
const TEXT = { color: INK, fontFamily: 'system-ui, sans-serif', fontSize: 11 };

function draw(option: echarts.EChartsCoreOption, { width, height }: ChartSize): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({ animation: false, backgroundColor: 'transparent', textStyle: TEXT, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function valueAxis({ unit, decimals, min, max }: ChartScale): Record<string, unknown> {
  return {
    type: 'value',
    scale: true,
    min,
    max,
    splitNumber: 4,
    axisLabel: { ...TEXT, formatter: (value: number) => formatValue(value, unit, decimals) },
    splitLine: { lineStyle: { color: FAINT } },
  };
}

function legend(names: readonly string[]): Record<string, unknown> {
  return {
    show: names.length > 1,
    type: 'plain',
    bottom: 0,
    left: 0,
    itemWidth: 12,
    itemHeight: 8,
    itemGap: 10,
    textStyle: TEXT,
    data: names,
  };
}

/** Room for names beside bars; without a browser nobody can measure text. */
function labelWidth(names: readonly string[]): number {
  return 14 + 6.4 * Math.max(...names.map(({ length }) => length));
}

/** Room that the legend needs at the bottom: names are set in lines of the chart's width. */
function legendHeight(names: readonly string[], width: number): number {
  if (names.length <= 1) return 4;
  const length = names.reduce((sum, name) => sum + 30 + 6.2 * name.length, 0);
  return 6 + 18 * Math.ceil(length / width);
}

export interface Line {
  readonly name: string;
  /** Seconds since 1970, and the value; null where there was none. */
  readonly points: readonly (readonly [number, number | null])[];
}

export interface Mark {
  readonly name: string;
  /** Seconds since 1970. */
  readonly at: number;
  readonly colour: string;
}

/** Lines over time with marks for what happened. */
export function lineChart(
  lines: readonly Line[],
  options: ChartScale &
    ChartSize & {
      readonly from: number;
      readonly to: number;
      readonly stacked: boolean;
      readonly marks: readonly Mark[];
      readonly colourOf: ColourOf;
    },
): string {
  const names = lines.map(({ name }) => name);
  const marks = {
    silent: true,
    symbol: 'none',
    label: { ...TEXT, fontSize: 9, formatter: '{b}', position: 'insideEndTop', rotate: 90, distance: 2 },
    data: readable(options).map(({ name, at, colour }) => ({
      name,
      xAxis: at * 1_000,
      lineStyle: { color: colour, type: 'dashed', width: 1 },
    })),
  };
  return draw(
    {
      grid: { left: 8, right: 12, top: 12, bottom: legendHeight(names, options.width), containLabel: true },
      legend: legend(names),
      xAxis: {
        type: 'time',
        min: options.from * 1_000,
        max: options.to * 1_000,
        axisLabel: { ...TEXT, hideOverlap: true, formatter: '{HH}:{mm}:{ss}' },
        axisLine: { lineStyle: { color: FAINT } },
        splitNumber: 4,
      },
      yAxis: valueAxis(options),
      series: lines.map(({ name, points }, index) => ({
        name,
        type: 'line',
        symbol: points.filter(([, value]) => value !== null).length === 1 ? 'circle' : 'none',
        lineStyle: { width: 2 },
        itemStyle: { color: options.colourOf(name) },
        ...(options.stacked ? { stack: 'all', areaStyle: { opacity: 0.3 } } : {}),
        data: points.map(([at, value]) => [at * 1_000, value]),
        ...(index === 0 && options.marks.length > 0 ? { markLine: marks } : {}),
      })),
    },
    options,
  );
}

/** Marks by time; where they stand too close, the later one keeps its name. */
function readable({
  marks,
  from,
  to,
  width,
}: ChartSize & {
  readonly from: number;
  readonly to: number;
  readonly marks: readonly Mark[];
}): readonly Mark[] {
  const sorted = [...marks].sort((first, second) => first.at - second.at);
  return sorted.map((mark, index) => {
    const next = sorted[index + 1];
    const close = next !== undefined && ((next.at - mark.at) / (to - from)) * width < MARK_DISTANCE;
    return close ? { ...mark, name: '' } : mark;
  });
}

/** Pixels that the name of a mark takes across. */
const MARK_DISTANCE = 14;

/** One bar a name, from the top down, its value beside it. */
export function barChart(
  bars: readonly { readonly name: string; readonly value: number }[],
  options: ChartScale & ChartSize & { readonly colourOf: ColourOf },
): string {
  return draw(
    {
      grid: { left: labelWidth(bars.map(({ name }) => name)), right: 64, top: 4, bottom: 4 },
      xAxis: { ...valueAxis(options), scale: false, axisLabel: { show: false }, splitLine: { show: false } },
      yAxis: {
        type: 'category',
        inverse: true,
        data: bars.map(({ name }) => name),
        axisLabel: { ...TEXT, interval: 0 },
        axisTick: { show: false },
        axisLine: { lineStyle: { color: FAINT } },
      },
      series: [
        {
          type: 'bar',
          barMaxWidth: 22,
          showBackground: true,
          backgroundStyle: { color: 'rgba(134, 140, 150, 0.10)' },
          data: bars.map(({ name, value }) => ({ value, itemStyle: { color: options.colourOf(name) } })),
          label: {
            show: true,
            position: 'right',
            ...TEXT,
            formatter: ({ value }: { value: number }) => formatValue(value, options.unit, options.decimals),
          },
        },
      ],
    },
    options,
  );
}

/** Groups of bars side by side, one a category. */
export function groupedBarChart(
  categories: readonly string[],
  groups: readonly { readonly name: string; readonly values: readonly (number | null)[] }[],
  options: ChartScale & ChartSize & { readonly colourOf: ColourOf },
): string {
  const names = groups.map(({ name }) => name);
  return draw(
    {
      grid: { left: 8, right: 12, top: 18, bottom: legendHeight(names, options.width), containLabel: true },
      legend: legend(names),
      xAxis: {
        type: 'category',
        data: categories,
        axisLabel: TEXT,
        axisTick: { show: false },
        axisLine: { lineStyle: { color: FAINT } },
      },
      yAxis: { ...valueAxis(options), scale: false },
      series: groups.map(({ name, values }) => ({
        name,
        type: 'bar',
        barMaxWidth: 28,
        itemStyle: { color: options.colourOf(name) },
        data: values,
        label: {
          show: categories.length * groups.length * 44 < options.width,
          position: 'top',
          ...TEXT,
          fontSize: 9,
          formatter: ({ value }: { value: number }) => formatValue(value, options.unit, options.decimals),
        },
      })),
    },
    options,
  );
}
