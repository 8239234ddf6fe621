import { openWarehouse } from '../core/warehouse/open';
import { answerSql, answerToJson } from '../core/warehouse/sql';
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
