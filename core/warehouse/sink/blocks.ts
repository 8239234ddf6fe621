import { type z } from 'zod';
import {
  blockFault,
  fenceBlockSchema,
  type AnalysisBlock,
  type EvaluationBlock,
  type FenceBlock,
} from '../../contracts/blocks';
import { type Micros } from '../../contracts/time';
import { describeIssues } from '../../contracts/validation';

export type Block = AnalysisBlock | EvaluationBlock;

export function rowsOf(block: Block): number {
  return block.columns.device_id.length;
}

/** @returns the block or fence, or why the value is neither. */
export function parseBlock(
  schema: z.ZodType<Block>,
  value: unknown,
  windowMicros: Micros,
): Block | FenceBlock | string {
  const fence = fenceBlockSchema.safeParse(value);
  if (fence.success) return fence.data;
  const parsed = schema.safeParse(value);
  if (!parsed.success) return describeIssues(parsed.error, schema);
  return blockFault(parsed.data, windowMicros) ?? parsed.data;
}
