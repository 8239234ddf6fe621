import Table, { type TableConstructorOptions } from 'cli-table3';
import stringWidth from 'string-width';
import { outColours as pc } from '../shared/colours';
import { type AnswerTable } from './query-worker';
import { printable } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';

/** Significant digits shown in a table; `--json` and `--csv` have all of them. */
const SHOWN_DIGITS = 6;

/** Rows of a table that are laid out at once: laying out takes milliseconds, and who prints looks in between whether it was stopped. */
const ROWS_PER_PART = 500;

/** As a table for people: numbers to the right, nulls dim. */
export function renderTable(answer: AnswerTable): string {
  return [...tableParts(answer)].join('');
}

/** The same, some hundred rows at a time. */
export function* tableParts(answer: AnswerTable): Generator<string> {
  const head = answer.columns.map(({ name }) => pc.bold(name));
  const cells = cellsOf(answer).map((row) => row.map(shown));
  const layout = {
    colAligns: answer.columns.map(({ type }) => (/INT|DOUBLE|FLOAT|DECIMAL/i.test(type) ? 'right' : 'left')),
    colWidths: head.map((name, column) => widest([name, ...cells.map((row) => row[column] ?? '')])),
    ...PLAIN_TABLE,
  } satisfies TableConstructorOptions;
  for (let from = 0; from === 0 || from < cells.length; from += ROWS_PER_PART) {
    const table = new Table({ ...layout, ...(from === 0 ? { head } : {}) });
    table.push(...cells.slice(from, from + ROWS_PER_PART));
    yield `${linesOf(table)}\n`;
  }
  const rows = answer.rows.length === 1 ? '1 row' : `${answer.rows.length.toLocaleString('en')} rows`;
  yield `${pc.dim(rows)}\n`;
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, stringWidth(text)), 1);
}

/** An array of objects, one a row. */
export function renderJson(answer: AnswerTable): string {
  return `${JSON.stringify(answer.rows, null, 2)}\n`;
}

/** RFC 4180, with `\n` at the ends of lines; null is an empty field. */
export function renderCsv(answer: AnswerTable): string {
  const lines = [answer.columns.map(({ name }) => name), ...cellsOf(answer)];
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\n`).join('');
}

/** Row by row, in the order of the columns. */
function cellsOf({ columns, rows }: AnswerTable): readonly (readonly unknown[])[] {
  return rows.map((row) => columns.map(({ name }) => row[name]));
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return pc.dim('NULL');
  if (typeof value === 'number' && !Number.isInteger(value))
    return String(Number(value.toPrecision(SHOWN_DIGITS)));
  return printable(textOf(value));
}

function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = textOf(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
