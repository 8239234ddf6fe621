import { type z } from 'zod';
import {
  analysisBlockSchema,
  evaluationBlockSchema,
  fenceBlockSchema,
  type AnalysisBlock,
  type EvaluationBlock,
  type FenceBlock,
} from '../../contracts/blocks';
import { type Sensors } from '../../contracts/task';
import {
  analysisTable,
  type BlockRows,
  EVALUATION_TABLE,
  type FileTable,
  RowBuffer,
  tableInFile,
} from '../database/columns';
import { type Statements } from '../database/connection';
import { type Place } from './marks';

export type Block = AnalysisBlock | EvaluationBlock;

export function placeOf(block: Block): Place {
  return { windowStart: block.window_start, ordinal: block.ordinal, last: block.last };
}

export function rowsOf(block: Block): number {
  return block.columns.device_id.length;
}

/** Reads and stores the blocks of a fleet with certain sensors. */
export class BlockTables {
  private readonly schemas: Readonly<Record<Block['type'], z.ZodType<Block>>>;

  private constructor(
    sensors: Sensors,
    private readonly analysis: FileTable<BlockRows<AnalysisBlock>>,
    private readonly evaluations: FileTable<BlockRows<EvaluationBlock>>,
  ) {
    this.schemas = { analysis: analysisBlockSchema(sensors), evaluation: evaluationBlockSchema };
  }

  /** The file's tables get a column for each covariate that they lack. */
  static async open(inside: Statements, sensors: Sensors): Promise<BlockTables> {
    const analysis = await tableInFile(inside, analysisTable(sensors));
    return new BlockTables(sensors, analysis, await tableInFile(inside, EVALUATION_TABLE));
  }

  /** @returns the block or fence, or why the value is neither. */
  parse(type: Block['type'], value: unknown): Block | FenceBlock | string {
    const fence = fenceBlockSchema.safeParse(value);
    if (fence.success) return fence.data;
    const parsed = this.schemas[type].safeParse(value);
    if (!parsed.success) return parsed.error.issues[0]?.message ?? 'not a block';
    const block = parsed.data;
    const rows = rowsOf(block);
    const ragged = Object.entries(block.columns).find(([, column]) => column.length !== rows);
    if (ragged !== undefined) return `column ${ragged[0]} has ${ragged[1].length} values for ${rows} devices`;
    return block;
  }

  buffers(): BlockBuffers {
    return new BlockBuffers(new RowBuffer(this.analysis), new RowBuffer(this.evaluations));
  }
}

/** Rows of analysis and evaluation blocks that wait for one transaction. */
export class BlockBuffers {
  constructor(
    readonly analysis: RowBuffer<BlockRows<AnalysisBlock>>,
    readonly evaluations: RowBuffer<BlockRows<EvaluationBlock>>,
  ) {}

  add(block: Block, recordMillis: number): void {
    const rows = rowsOf(block);
    if (block.type === 'analysis') this.analysis.append(rows, { ...block, recordMillis });
    else this.evaluations.append(rows, { ...block, recordMillis });
  }
}
