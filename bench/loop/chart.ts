import * as echarts from 'echarts';
import { type Line, type Opponent } from './lines';

/** Different in brightness as well as in hue, so that the chart can be read in grey and by colour-blind people. */
const COLOURS = ['#8d99ae', '#edae49', '#1b6ca8', '#d1495b', '#00798c', '#5f4b8b'];
const WIDTH = 980;
const ROW = 58;
const MARGIN = { top: 100, bottom: 46, left: 120, right: 24 } as const;

/**
 * Differences to the opponent as an SVG picture: scenarios down, points across; a dot is a mean over seeds, a bar its 95 % interval. Differences
 * beyond `reach` points are drawn at the edge, so that one fleet under attack does not flatten all others.
 */
export function chartOf(
  lines: readonly Line[],
  opponent: Opponent,
  who: readonly string[],
  title: string,
  reach = 9,
): string {
  const rows = [...new Set(lines.map(rowOf))];
  const chart = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: WIDTH,
    height: MARGIN.top + MARGIN.bottom + ROW * rows.length,
  });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: 'sans-serif' },
      title: { text: title, subtext: `points against ${opponent}; bars are 95 % intervals`, left: 12 },
      legend: { top: 64, left: 12, data: [...who] },
      grid: { ...MARGIN },
      xAxis: { type: 'value', min: -reach, max: reach, name: 'points', nameLocation: 'middle', nameGap: 28 },
      yAxis: { type: 'category', data: rows, inverse: true, splitLine: { show: true } },
      series: who.map((contender, place) => seriesOf(lines, opponent, contender, place, who.length, reach)),
    });
    return chart.renderToSVGString();
  } finally {
    // Its timers would keep the process from ending.
    chart.dispose();
  }
}

function seriesOf(
  lines: readonly Line[],
  opponent: Opponent,
  contender: string,
  place: number,
  contenders: number,
  reach: number,
): echarts.CustomSeriesOption {
  const colour = COLOURS[place % COLOURS.length] ?? '#000000';
  const within = (points: number): number => Math.min(Math.max(points, -reach), reach);
  const data = lines.flatMap((line) => {
    const difference = line.against[opponent];
    if (line.contender !== contender || difference === undefined) return [];
    const { mean, low, high } = difference;
    return [[within(mean), rowOf(line), within(low ?? mean), within(high ?? mean)]];
  });
  return {
    name: contender,
    type: 'custom',
    color: colour,
    encode: { x: [0, 2, 3], y: 1 },
    data,
    renderItem: (_, api) => {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const [from] = api.coord([api.value(2), api.value(1)]);
      const [to] = api.coord([api.value(3), api.value(1)]);
      const height = (y ?? 0) + (place - (contenders - 1) / 2) * ((ROW * 0.8) / contenders);
      return {
        type: 'group',
        children: [
          {
            type: 'line',
            shape: { x1: from ?? 0, x2: to ?? 0, y1: height, y2: height },
            style: { stroke: colour, lineWidth: 2 },
          },
          { type: 'circle', shape: { cx: x ?? 0, cy: height, r: 4 }, style: { fill: colour } },
        ],
      };
    },
  };
}

function rowOf({ scenario, clock }: Line): string {
  return clock === 'shared' ? `${scenario}\n(shared)` : scenario;
}
