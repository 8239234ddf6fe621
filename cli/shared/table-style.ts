import type Table from 'cli-table3';
import { type TableConstructorOptions } from 'cli-table3';

/** A rule under the head and space between columns: nothing else stands between a reader and the numbers. */
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

/** A table's lines, without the blanks that fill its last column up: whoever copies a line wants none. */
export function linesOf(table: Table.Table): string {
  return table.toString().replace(/ +$/gm, '');
}
