import { type z } from 'zod';
import {
  fenceBlockSchema,
  type AnalysisBlock,
  type EvaluationBlock,
  type FenceBlock,
} from '../../contracts/blocks';

export type Block = AnalysisBlock | EvaluationBlock;

export function rowsOf(block: Block): number {
  return block.columns.device_id.length;
}

/** @returns the block or fence, or why the value is neither. */
export function parseBlock(schema: z.ZodType<Block>, value: unknown): Block | FenceBlock | string {
  const fence = fenceBlockSchema.safeParse(value);
  if (fence.success) return fence.data;
  const parsed = schema.safeParse(value);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'not a block';
  const block = parsed.data;
  const rows = rowsOf(block);
  const ragged = Object.entries(block.columns).find(([, column]) => column.length !== rows);
  if (ragged !== undefined) return `column ${ragged[0]} has ${ragged[1].length} values for ${rows} devices`;
  return block;
}
