import { span } from '../../shared/format';
import { categoryAxis, COLOURS, valueAxis, type Chart, type Layout, type RenderItem } from './draw';

/** A phase of a round, in seconds since the first one began. */
export interface Phase {
  readonly from: number;
  readonly until: number;
  readonly kind: 'making' | 'measuring';
}

interface TimelineLine {
  readonly name: string;
  readonly phases: readonly Phase[];
  readonly outcome: string;
}

export const COLOUR_OF_PHASE: Readonly<Record<Phase['kind'], string>> = {
  making: COLOURS.quiet,
  measuring: COLOURS.accent,
};

/** Rounds as bars over wall-clock time. */
export function timelineChart(lines: readonly TimelineLine[], layout: Layout): Chart {
  const phases = lines.flatMap((line, index) => line.phases.map((phase) => ({ ...phase, index })));
  const narrow = layout === 'narrow';
  return {
    height: lines.length * 36 + 60,
    option: {
      grid: { top: 4, bottom: 26, left: 8, right: narrow ? 74 : 90, containLabel: true },
      xAxis: {
        ...valueAxis('since the first round began', span),
        min: 0,
        interval: tickSeconds(Math.max(0, ...phases.map(({ until }) => until)), narrow ? 3 : 6),
      },
      yAxis: { ...categoryAxis(lines.map(({ name }) => name)), inverse: true },
      series: (['making', 'measuring'] as const).map((kind) => ({
        type: 'custom' as const,
        silent: true,
        encode: { x: [1, 2], y: 0 },
        data: phases
          .filter((phase) => phase.kind === kind)
          .map(({ index, from, until }) => [index, from, until]),
        renderItem: bar(COLOUR_OF_PHASE[kind], kind === 'measuring' ? lines : []),
      })),
    },
  };
}

/** Times that people count in, in seconds: from a second to a day. */
const TIMES = [
  1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
] as const;
const DAY = 86_400;

/** Seconds from tick to tick, so that there are at most so many. */
export function tickSeconds(seconds: number, most: number): number {
  return TIMES.find((time) => seconds / time <= most) ?? DAY * Math.ceil(seconds / most / DAY);
}

function bar(colour: string, labelled: readonly TimelineLine[]): RenderItem {
  return (_, api) => {
    const row = Number(api.value(0));
    const [left = 0, y = 0] = api.coord([api.value(1), row]);
    const [right = 0] = api.coord([api.value(2), row]);
    const rectangle = {
      type: 'rect',
      shape: { x: left, y: y - 9, width: Math.max(1, right - left), height: 18, r: 3 },
      style: { fill: colour },
    };
    const outcome = labelled[row]?.outcome;
    const label = {
      type: 'text',
      style: {
        text: outcome ?? '',
        x: right + 8,
        y,
        fill: COLOURS.ink,
        fontSize: 13,
        verticalAlign: 'middle',
      },
    };
    return {
      type: 'group',
      children: outcome === undefined ? [rectangle] : [rectangle, label],
    } as ReturnType<RenderItem>;
  };
}
