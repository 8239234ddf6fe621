import {
  type AnalysisBlock,
  type AnalysisColumns,
  type EvaluationBlock,
  type EvaluationColumns,
} from '../../contracts/blocks';
import { type Micros } from '../../contracts/time';
import { ROWS_PER_BLOCK } from '../../contracts/topics';

/**
 * All rows of one closed window of one partition, column by column. Analysis rows are in the order of device ids;
 * evaluation rows in the order in which versions came into force, and within each of device ids.
 */
export interface ClosedWindow {
  readonly partition: number;
  readonly start: Micros;
  readonly end: Micros;
  readonly analysis: AnalysisColumns;
  readonly evaluations: EvaluationColumns;
}

/** The window's analysis rows as the blocks that go to the topic, `last` on the final one. */
export function analysisBlocks(window: ClosedWindow, epoch: number): AnalysisBlock[] {
  return blocksOf(window, epoch, window.analysis.device_id.length, (header, from, until) => ({
    type: 'analysis',
    ...header,
    columns: slicesOf(window.analysis, from, until),
  }));
}

/** The window's evaluation rows as the blocks that go to the topic, `last` on the final one. */
export function evaluationBlocks(window: ClosedWindow, epoch: number): EvaluationBlock[] {
  return blocksOf(window, epoch, window.evaluations.device_id.length, (header, from, until) => ({
    type: 'evaluation',
    ...header,
    columns: slicesOf(window.evaluations, from, until),
  }));
}

interface BlockHeader {
  readonly partition: number;
  readonly epoch: number;
  readonly window_start: Micros;
  readonly window_end: Micros;
  readonly ordinal: number;
  readonly last: boolean;
}

function blocksOf<Block>(
  window: ClosedWindow,
  epoch: number,
  rows: number,
  make: (header: BlockHeader, from: number, until: number) => Block,
): Block[] {
  const blocks = Math.max(1, Math.ceil(rows / ROWS_PER_BLOCK));
  return Array.from({ length: blocks }, (_, ordinal) =>
    make(
      {
        partition: window.partition,
        epoch,
        window_start: window.start,
        window_end: window.end,
        ordinal,
        last: ordinal === blocks - 1,
      },
      ordinal * ROWS_PER_BLOCK,
      (ordinal + 1) * ROWS_PER_BLOCK,
    ),
  );
}

/** Rows `from … until` of every column. */
function slicesOf<Columns extends Record<keyof Columns, unknown[]>>(
  columns: Columns,
  from: number,
  until: number,
): Columns {
  const slices: Partial<Columns> = {};
  for (const name in columns) slices[name] = columns[name].slice(from, until) as Columns[typeof name];
  return slices as Columns;
}
