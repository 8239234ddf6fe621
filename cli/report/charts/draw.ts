import { init, type CustomSeriesOption, type EChartsOption } from 'echarts';
import { Html, html } from '../html';

/** How a custom series draws one of its items. */
export type RenderItem = NonNullable<CustomSeriesOption['renderItem']>;

/** A chart for one width of the page. */
export interface Chart {
  readonly height: number;
  readonly option: EChartsOption;
}

/** `narrow` is for telephones: less room for labels beside the picture. */
export type Layout = 'wide' | 'narrow';

/** Pixels of the page's column; the picture scales with it. */
export const WIDTHS: Readonly<Record<Layout, number>> = { wide: 860, narrow: 326 };

/** Pixels of a small picture: two of them stand side by side on a screen, one on a telephone. */
export const SMALL = 390;

/**
 * A chart as SVG that follows the page's colours (they are CSS variables).
 * @param label text for readers who cannot see the picture.
 */
export function draw(chart: Chart, width: number, label: string): Html {
  const instance = init(null, null, {
    renderer: 'svg',
    ssr: true,
    width,
    height: chart.height,
  });
  try {
    instance.setOption({
      animation: false,
      textStyle: { fontFamily: 'inherit', fontSize: 13, color: COLOURS.muted },
      ...chart.option,
    });
    return html`${new Html(openingOf(width, chart.height))} role="img" aria-label="${label}">${bodyOf(instance.renderToSVGString())}</svg>`;
  } finally {
    instance.dispose();
  }
}

/** Scales with its column; without a size of its own. */
function openingOf(width: number, height: number): string {
  return `<svg viewBox="0 0 ${width} ${height}"`;
}

/**
 * The content of the library's `<svg>` without what only its scripts need: style sheets for the mouse, classes, data indices. Texts
 * in it are escaped, so none of these patterns can match a text.
 */
function bodyOf(svg: string): Html {
  const inner = svg.slice(svg.indexOf('>') + 1, svg.lastIndexOf('</svg>'));
  return new Html(
    inner
      .replace(/<style[\s\S]*?<\/style>/g, '')
      .replace(/ (?:class="zr[^"]*"|ecmeta_\w+="[^"]*"|pointer-events="[^"]*")/g, '')
      .trim(),
  );
}

/** The page's colours by meaning; the style sheet has their values in light and dark mode and on paper. */
export const COLOURS = {
  ink: 'var(--ink)',
  muted: 'var(--muted)',
  line: 'var(--line)',
  surface: 'var(--surface)',
  accent: 'var(--accent)',
  soft: 'var(--soft)',
  claim: 'var(--claim)',
  good: 'var(--good)',
  bad: 'var(--bad)',
  warn: 'var(--warn)',
  quiet: 'var(--quiet)',
} as const;

/** Colours of overlapping lines, beside the accent. */
export const LINE_COLOURS = [1, 2, 3, 4, 5].map((number) => `var(--c${number})`);

/** A value axis with grid lines only. */
export function valueAxis(name: string, format: (value: number) => string): object {
  return {
    type: 'value',
    scale: true,
    name,
    nameLocation: 'middle',
    nameGap: 30,
    nameTextStyle: { color: COLOURS.muted },
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: COLOURS.muted, formatter: format, hideOverlap: true },
    splitLine: { lineStyle: { color: COLOURS.line } },
  };
}

export function categoryAxis(names: readonly string[]): object {
  return {
    type: 'category',
    data: [...names],
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: COLOURS.ink, interval: 0 },
  };
}
