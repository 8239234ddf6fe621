import { type DuckDBValue } from '@duckdb/node-api';
import { z } from 'zod';
import {
  analysisBlockSchema,
  evaluationBlockSchema,
  fenceBlockSchema,
  type AnalysisBlock,
  type EvaluationBlock,
  type FenceBlock,
} from '../../contracts/blocks';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { ANALYSIS_COLUMNS, ColumnBuffer, EVALUATION_COLUMNS } from '../database/columns';
import { type Place } from './marks';
import { timestamp } from '../database/values';

export type Block = AnalysisBlock | EvaluationBlock;

const messageSchemas = {
  analysis: z.discriminatedUnion('type', [fenceBlockSchema, analysisBlockSchema]),
  evaluation: z.discriminatedUnion('type', [fenceBlockSchema, evaluationBlockSchema]),
} as const;

/** @returns the block or fence, or why the value is neither. */
export function parseBlock(type: Block['type'], value: unknown): Block | FenceBlock | string {
  const parsed = messageSchemas[type].safeParse(value);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'not a block';
  const block = parsed.data;
  if (block.type === 'fence') return block;
  const rows = rowsOf(block);
  const ragged = Object.entries(block.columns).find(([, column]) => column.length !== rows);
  if (ragged !== undefined) return `column ${ragged[0]} has ${ragged[1].length} values for ${rows} devices`;
  return block;
}

export function placeOf(block: Block): Place {
  return { windowStart: block.window_start, ordinal: block.ordinal, last: block.last };
}

export function rowsOf(block: Block): number {
  return block.columns.device_id.length;
}

/** Rows of analysis and evaluation blocks that wait for one transaction. */
export class BlockBuffers {
  readonly analysis = new ColumnBuffer('stream_analysis_results', ANALYSIS_COLUMNS);
  readonly evaluations = new ColumnBuffer('evaluation_rows', EVALUATION_COLUMNS);

  /** `recordMillis`: when the broker took the block, which is when its forecasts were compared. */
  add(block: Block, recordMillis: number): void {
    if (block.type === 'analysis') this.addAnalysis(block);
    else this.addEvaluation(block, recordMillis);
  }

  private addAnalysis(block: AnalysisBlock): void {
    const { columns } = block;
    this.analysis.append(rowsOf(block), [
      columns.device_id,
      { all: timestamp(block.window_start) },
      { all: timestamp(block.window_end) },
      columns.count,
      columns.avg,
      columns.min,
      columns.max,
      columns.stddev,
      columns.max_abs_z,
      columns.outliers,
      columns.outliers.map((outliers) => outliers > 0),
      columns.max_abs_z,
      columns.humidity_avg,
      columns.pressure_avg,
      columns.actual_anomaly.map(flag),
      { all: block.partition },
      { all: BigInt(block.epoch) },
    ]);
  }

  private addEvaluation(block: EvaluationBlock, recordMillis: number): void {
    const { columns } = block;
    this.evaluations.append(rowsOf(block), [
      columns.model_version,
      columns.device_id,
      { all: timestamp(block.window_start) },
      { all: timestamp(block.window_end) },
      columns.prediction_result,
      columns.actual_result,
      columns.error,
      columns.loss,
      columns.is_correct.map(flag),
      columns.confidence,
      columns.persistence_error,
      columns.predicted_anomaly.map(flag),
      columns.actual_anomaly.map(flag),
      columns.regime,
      { all: timestamp(recordMillis * MICROS_PER_MILLI) },
      { all: block.partition },
      { all: BigInt(block.epoch) },
    ]);
  }
}

function flag(value: 0 | 1 | null): DuckDBValue {
  return value === null ? null : value === 1;
}
