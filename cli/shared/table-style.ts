import type Table from 'cli-table3';
import { type TableConstructorOptions } from 'cli-table3';

/** Tables with a rule under the head and space between columns, and no other lines. */
export const PLAIN_TABLE: Pick<TableConstructorOptions, 'chars' | 'style'> = {
  chars: {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '─',
    'mid-mid': '──',
    right: '',
    'right-mid': '',
    middle: '  ',
  },
  style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
};

/** A table's lines without the trailing blanks of its last column. */
export function linesOf(table: Table.Table): string {
  return table.toString().replace(/ +$/gm, '');
}
