import {
  type AnalysisBlock,
  type AnalysisColumns,
  type EvaluationBlock,
  type EvaluationColumns,
} from '../../contracts/blocks';
import { type Micros } from '../../contracts/time';
import { ROWS_PER_BLOCK, TOPICS } from '../../contracts/topics';

/**
 * All rows of one closed window of one partition, column by column. Analysis rows are in the order of device ids;
 * evaluation rows in the order in which versions came into force, and within each of device ids.
 */
export interface ClosedWindow {
  readonly partition: number;
  readonly start: Micros;
  readonly end: Micros;
  /** End of the window that closed before it; null for the first. */
  readonly after: Micros | null;
  readonly analysis: AnalysisColumns;
  readonly evaluations: EvaluationColumns;
}

/** The window's rows as blocks for their topics, analysis first; the final block of each topic has `last`. */
export function blocksOf(
  { partition, start, end, after, analysis, evaluations }: ClosedWindow,
  epoch: number,
): { readonly topic: string; readonly block: AnalysisBlock | EvaluationBlock }[] {
  const header = { partition, epoch, window_start: start, window_end: end, after };
  return [
    ...slicesOf(analysis).map((slice) => {
      return { topic: TOPICS.analysis.name, block: { type: 'analysis' as const, ...header, ...slice } };
    }),
    ...slicesOf(evaluations).map((slice) => {
      return { topic: TOPICS.evaluations.name, block: { type: 'evaluation' as const, ...header, ...slice } };
    }),
  ];
}

/** Columns cut into slices of a block's size; columns without rows are one slice. */
function slicesOf<Columns extends Record<keyof Columns, unknown[]> & { readonly device_id: unknown[] }>(
  columns: Columns,
): { readonly ordinal: number; readonly last: boolean; readonly columns: Columns }[] {
  const count = Math.max(1, Math.ceil(columns.device_id.length / ROWS_PER_BLOCK));
  return Array.from({ length: count }, (_, ordinal) => {
    const from = ordinal * ROWS_PER_BLOCK;
    const slice: Partial<Columns> = {};
    for (const name in columns)
      slice[name] = columns[name].slice(from, from + ROWS_PER_BLOCK) as Columns[typeof name];
    return { ordinal, last: ordinal === count - 1, columns: slice as Columns };
  });
}
