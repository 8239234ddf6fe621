import { escapeHtml } from './html';

/** Names under a chart, as HTML, so that the browser lays them out with its own fonts. */
export function legendHtml(names: readonly string[], colourOf: (name: string) => string): string {
  if (names.length <= 1) return '';
  const items = names.map(
    (name) => `<li><i style="background: ${colourOf(name)}"></i>${escapeHtml(name)}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

/** Height of the legend in pixels, estimated; a long one scrolls. */
export function legendHeight(names: readonly string[], width: number): number {
  if (names.length <= 1) return 0;
  const length = names.reduce((sum, name) => sum + 28 + 6.8 * name.length, 0);
  return 6 + LINE * Math.min(MAX_LINES, Math.ceil(length / width));
}

const LINE = 18;
const MAX_LINES = 3;
