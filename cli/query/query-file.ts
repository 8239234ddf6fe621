import { z } from 'zod';
import { type Query } from '../../core/warehouse/database/query';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { openToRead } from '../../core/warehouse/database/open-to-read';
import { answerSql } from '../../core/warehouse/sql/answer';
import { Readers } from '../../core/warehouse/sql/readers';
import { tableSchema, type AnswerTable } from './query-worker';

/**
 * Run one query of a user on a warehouse that no system has open. Limits and answer are the analytics worker's.
 * @throws FedloopError `InvalidInput` for SQL that is refused, `WarehouseBusy` when a system has it open, `Interrupted`
 */
export async function queryFile(path: string, sql: string, signal: AbortSignal): Promise<AnswerTable> {
  const warehouse = await openToRead(path);
  try {
    const readers = await Readers.atRest(warehouse);
    try {
      return tableSchema.parse(JSON.parse((await readers.ask({ sql, signal })).toString('utf8')));
    } finally {
      await readers.close();
    }
  } finally {
    await warehouse.close();
  }
}

/**
 * Run several queries of Fedloop's own on a warehouse that no system has open.
 * @throws FedloopError as `queryFile`
 */
export async function withFile<Result>(
  path: string,
  work: (query: Query) => Promise<Result>,
): Promise<Result> {
  const warehouse = await openToRead(path);
  try {
    return await work(queryConnection(await warehouse.connect()));
  } finally {
    await warehouse.close();
  }
}

/** Queries on a warehouse of this process, answered like the analytics worker's. */
export function queryConnection(connection: SerialConnection): Query {
  return async (row, sql) => {
    const answer = tableSchema.parse(JSON.parse(await answerSql(connection, sql)));
    return z.array(row).parse(answer.rows);
  };
}
