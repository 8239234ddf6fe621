import { type RoundSummary } from '../results/summary-schema';
import { decisionInWords } from '../../core/contracts/decisions';
import { type TargetWords } from '../../core/contracts/task';
import { percent } from '../shared/format';
import { inUnit } from '../shared/quantities';
import { draw, WIDTHS, type Chart, type Layout } from './charts/draw';
import { html, type Html, type HtmlPart } from './html';

interface Column {
  readonly name: string;
  readonly numeric?: boolean;
}

/** A table of figures. The first column names the row. On a telephone each row is a block in which every figure has its column's name. */
export function table(columns: readonly Column[], rows: readonly (readonly HtmlPart[])[]): Html {
  const classOf = (index: number): string => (columns[index]?.numeric === false ? 'text' : 'number');
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${columns.map(({ name }, index) => html`<th scope="col" class="${classOf(index)}">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            html`<tr>
              ${cells.map((cell, index) =>
                index === 0
                  ? html`<th scope="row" class="text">${cell}</th>`
                  : html`<td class="${classOf(index)}" data-name="${columns[index]?.name ?? ''}">
                      ${cell}
                    </td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Column heads: the first is text, the others are numbers by default. */
export function columns(first: string, ...others: readonly (string | Column)[]): readonly Column[] {
  return [
    { name: first, numeric: false },
    ...others.map((other) => (typeof other === 'string' ? { name: other } : other)),
  ];
}

export function text(name: string): Column {
  return { name, numeric: false };
}

/** A figure with the target's unit behind it, on one line. */
export function withUnit(figure: string, target: Pick<TargetWords, 'unit'>): string {
  return inUnit(figure, target).replaceAll(' ', '\u00a0');
}

/** A picture in two layouts: for screens and paper, and for telephones. */
export function picture(chart: (layout: Layout) => Chart, label: string): Html {
  return html`<div class="wide">${draw(chart('wide'), WIDTHS.wide, label)}</div>
    <div class="narrow">${draw(chart('narrow'), WIDTHS.narrow, label)}</div>`;
}

/** The figures behind a picture, and the SQL that returns them. */
export function behind(figures: Html | null, sql: readonly string[]): Html {
  return html`<details>
    <summary>Figures and how to ask for them</summary>
    ${figures}${sql.map((one) => html`<pre>${one}</pre>`)}
  </details>`;
}

export function section(id: string, title: string, lead: HtmlPart, ...content: readonly HtmlPart[]): Html {
  return html` <section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    <p class="lead">${lead}</p>
    ${content}
  </section>`;
}

/** The meaning of a picture's colours, as HTML beside the picture, so that the page's own font sets it. */
export function legend(
  kinds: readonly { readonly name: string; readonly colour: string; readonly filled: boolean }[],
): Html {
  return html`<ul class="legend">
    ${kinds.map(
      ({ name, colour, filled }) =>
        html`<li>
          <span
            class="swatch"
            style="border-color: ${colour}; background: ${filled ? colour : 'transparent'}"
          ></span
          >${name}
        </li>`,
    )}
  </ul>`;
}

/** A round's decision. */
export function badge(round: Pick<RoundSummary, 'decision' | 'finding'>): Html {
  return html`<span class="badge ${round.decision}">${decisionInWords(round)}</span>`;
}

/** Ticks of an axis of shares. */
export function share(value: number): string {
  return percent(value, 0);
}
