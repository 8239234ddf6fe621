import { z } from 'zod';
import { type Ask } from '../../core/warehouse/database/ask';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { openWarehouse } from '../../core/warehouse/database/open';
import { answerSql, answerToJson } from '../../core/warehouse/queries/sql-route';
import { tableSchema, type AnswerTable } from './ask';

/**
 * One question to a warehouse that no system has open; the answer is what the analytics worker would have said.
 * @throws FedloopError `InvalidInput` for SQL that is refused, `WarehouseBusy` when a system has it open after all.
 */
export async function askFile(path: string, sql: string): Promise<AnswerTable> {
  const warehouse = await openWarehouse(path);
  try {
    const answer = await answerSql(await warehouse.connect(), sql);
    return tableSchema.parse(JSON.parse(answerToJson(answer)));
  } finally {
    await warehouse.close();
  }
}

/**
 * Many questions to a warehouse that no system has open.
 * @throws FedloopError as `askFile`
 */
export async function withFile<Result>(path: string, work: (ask: Ask) => Promise<Result>): Promise<Result> {
  const warehouse = await openWarehouse(path);
  try {
    return await work(askConnection(await warehouse.connect()));
  } finally {
    await warehouse.close();
  }
}

/** Questions to a warehouse of this process, answered as the analytics worker would. */
export function askConnection(connection: SerialConnection): Ask {
  return async (row, sql) => {
    const answer = tableSchema.parse(JSON.parse(answerToJson(await answerSql(connection, sql))));
    return z.array(row).parse(answer.rows);
  };
}
