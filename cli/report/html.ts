import { printable } from '../shared/format';

/** Well-formed HTML whose texts are escaped. */
export class Html {
  constructor(readonly text: string) {}
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export type HtmlPart = Html | string | number | readonly HtmlPart[] | null;

/** Fill a template: strings are escaped, `Html` is inserted as it is, lists are joined, null is empty. */
export function html(pieces: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(
    pieces.map((piece, index) => piece + (index < parts.length ? textOf(parts[index] ?? null) : '')).join(''),
  );
}

function textOf(part: HtmlPart): string {
  if (part === null) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return (
    printable(String(part))
      .replace(/[&<>"']/g, (sign) => ESCAPES[sign] ?? '')
      // A percentage stays on one line, as `withUnit` keeps a figure with its unit.
      .replace(/(\d) (?=%)/g, '$1\u00a0')
  );
}
