import * as echarts from 'echarts';
import { type ColourOf } from './colours';
import { formatValue } from './format-value';

interface ChartSize {
  readonly width: number;
  readonly height: number;
}

interface ChartScale {
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

/** Room at the right for half of the last label of a time axis. */
const GRID = { left: 8, right: 32, top: 12, bottom: 4, containLabel: true };

/** Room for names beside bars, estimated: without a browser text cannot be measured. */
function labelWidth(names: readonly string[]): number {
  return 14 + 6.4 * Math.max(...names.map(({ length }) => length));
}

interface Line {
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

/** Lines over time, with marks for events. */
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
  const marks = {
    silent: true,
    symbol: 'none',
    label: { ...TEXT, fontSize: 9, formatter: '{b}', position: 'insideEndTop', distance: [4, 4] },
    data: readable(options).map(({ name, at, colour }) => ({
      name,
      xAxis: at * 1_000,
      lineStyle: { color: colour, type: 'dashed', width: 1 },
    })),
  };
  return draw(
    {
      grid: GRID,
      xAxis: {
        type: 'time',
        min: options.from * 1_000,
        max: options.to * 1_000,
        axisLabel: { ...TEXT, hideOverlap: true, formatter: '{HH}:{mm}:{ss}' },
        axisLine: { lineStyle: { color: FAINT } },
        splitNumber: options.width < NARROW ? 2 : 4,
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

/** Marks by time; of marks that lie too close only the last keeps its name. */
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

/** Pixels of a chart that has room for few times below it. */
const NARROW = 420;

/** Pixels that the name of a mark takes across. */
const MARK_DISTANCE = 14;

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Text and colour instead of the value. */
  readonly word?: { readonly text: string; readonly colour: string };
}

/** One bar for each name, from the top down, with its value beside it. */
export function barChart(
  bars: readonly Bar[],
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
          data: bars.map(({ name, value, word }) => ({
            value,
            itemStyle: { color: word?.colour ?? options.colourOf(name) },
          })),
          label: {
            show: true,
            position: 'right',
            ...TEXT,
            formatter: ({ value, dataIndex }: { value: number; dataIndex: number }) =>
              bars[dataIndex]?.word?.text ?? formatValue(value, options.unit, options.decimals),
          },
        },
      ],
    },
    options,
  );
}

/** Groups of bars side by side, one for each category. */
export function groupedBarChart(
  categories: readonly string[],
  groups: readonly { readonly name: string; readonly values: readonly (number | null)[] }[],
  options: ChartScale & ChartSize & { readonly colourOf: ColourOf },
): string {
  return draw(
    {
      grid: { ...GRID, top: 18 },
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
        barMaxWidth: 64,
        barCategoryGap: '20%',
        barGap: '10%',
        itemStyle: { color: options.colourOf(name) },
        data: values,
        label: {
          show: fits(categories.length, groups, options),
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

/** Whether a value has room over its bar. */
function fits(
  categories: number,
  groups: readonly { readonly values: readonly (number | null)[] }[],
  { width, unit, decimals }: ChartScale & ChartSize,
): boolean {
  const longest = Math.max(
    0,
    ...groups.flatMap(({ values }) =>
      values.map((value) => (value === null ? 0 : formatValue(value, unit, decimals).length)),
    ),
  );
  const bar = (0.8 * (width - 60)) / (categories * groups.length);
  return bar > 5.2 * longest;
}
