import { relative, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { readEnvironment } from '../../core/platform/config';
import { type Query } from '../../core/warehouse/database/query';
import { forgetLogs } from '../../core/warehouse/database/identity';
import { openWarehouse } from '../../core/warehouse/database/open';
import { compactWarehouse, exportWarehouse } from '../../core/warehouse/database/files';
import { queryWorker } from '../query/query-worker';
import { withFile } from '../query/query-file';
import { renderTable } from '../query/answer';
import { bytes, counted } from '../shared/format';
import { endOf } from '../progress';
import { analyticsOf, findRunning } from '../system/running';
import { runFolder } from '../system/run-folder';
import { type Session } from '../system/session';
import { existingWarehouse } from '../query/warehouse-at-rest';

const tableRow = z.object({ table: z.string(), rows: z.number(), columns: z.number() });
const spanRow = z.object({ first: z.string().nullable(), last: z.string().nullable(), expired: z.number() });

/** `fedloop warehouse info` */
export async function info(session: Session, json: boolean): Promise<void> {
  const running = await findRunning(session.folder);
  const analytics = await analyticsOf(running, session.env);
  const path =
    running === undefined
      ? await existingWarehouse(session)
      : runFolder(session.folder, running.id).warehouse;
  const read = async (
    query: Query,
  ): Promise<{ tables: z.infer<typeof tableRow>[]; span: z.infer<typeof spanRow> }> => {
    const tables = await query(
      tableRow.omit({ rows: true }),
      `SELECT table_name AS "table", column_count::DOUBLE AS columns FROM duckdb_tables() WHERE NOT internal ORDER BY table_name`,
    );
    // Counted, not estimated.
    const counts = await query(
      z.object({ table: z.string(), rows: z.number() }),
      tables
        .map(({ table }) => `SELECT '${table}' AS "table", count(*)::DOUBLE AS rows FROM "${table}"`)
        .join(' UNION ALL '),
    );
    const rowsOf = new Map(counts.map(({ table, rows }) => [table, rows]));
    const [span] = await query(
      spanRow,
      `SELECT min(window_start)::VARCHAR AS first, max(window_start)::VARCHAR AS last,
              (SELECT coalesce(sum(evaluations), 0)::DOUBLE FROM evaluation_rollups) AS expired
       FROM evaluation_rows`,
    );
    return {
      tables: tables.map((row) => ({ ...row, rows: rowsOf.get(row.table) ?? 0 })),
      span: span ?? { first: null, last: null, expired: 0 },
    };
  };
  const { tables, span } =
    analytics === undefined ? await withFile(path, read) : await read(queryWorker(analytics));
  const size = (await stat(path)).size;
  const waiting = (await stat(`${path}.wal`).catch(() => undefined))?.size ?? 0;
  const retentionMillis = readEnvironment(session.env).FEDLOOP_RETENTION;
  if (json) {
    session.out(
      `${JSON.stringify({ path, bytes: size, walBytes: waiting, retentionMillis, ...span, tables }, null, 2)}\n`,
    );
    return;
  }
  session.out(
    [
      `${relative(session.folder, path)}: ${bytes(size)}${waiting === 0 ? '' : ` and ${bytes(waiting)} in the log`}`,
      span.first === null
        ? 'no forecast has been evaluated yet'
        : `rows of forecasts from ${span.first} to ${span.last ?? ''} (event time, UTC)`,
      `rows are kept for ${counted(retentionMillis / 86_400_000, 'day')} of event time (FEDLOOP_RETENTION); ${counted(span.expired, 'evaluation')} live on in roll-ups alone`,
      '',
      renderTable({
        columns: [
          { name: 'table', type: 'VARCHAR' },
          { name: 'rows', type: 'DOUBLE' },
          { name: 'columns', type: 'DOUBLE' },
        ],
        rows: tables,
        truncated: false,
      }),
    ].join('\n'),
  );
}

/** `fedloop warehouse compact` */
export async function compact(session: Session, json: boolean): Promise<void> {
  const path = await atRest(session);
  const step = session.progress.step('Compacting');
  try {
    const { before, after } = await compactWarehouse(path);
    step.done();
    session.out(
      json ? `${JSON.stringify({ path, before, after })}\n` : `${bytes(before)} → ${bytes(after)}\n`,
    );
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  }
}

/** `fedloop warehouse export` */
export async function exportTables(session: Session, folder: string, json: boolean): Promise<void> {
  const path = await atRest(session);
  const step = session.progress.step('Exporting');
  try {
    const tables = await exportWarehouse(path, resolve(session.folder, folder));
    step.done();
    session.out(
      json
        ? `${JSON.stringify(tables, null, 2)}\n`
        : `${counted(tables.length, 'table')} in ${folder}, ${bytes(tables.reduce((sum, table) => sum + table.bytes, 0))}\n`,
    );
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  }
}

/** `fedloop warehouse adopt` */
export async function adopt(session: Session, json: boolean): Promise<void> {
  const path = await atRest(session);
  const warehouse = await openWarehouse(path);
  try {
    await forgetLogs(await warehouse.connect());
  } finally {
    await warehouse.close();
  }
  session.out(
    json
      ? `${JSON.stringify({ path })}\n`
      : `${path} takes rows from the brokers that the next analytics worker is given\n`,
  );
}

/** @throws FedloopError `WarehouseBusy` while a system of this folder owns it. */
async function atRest(session: Session): Promise<string> {
  const running = await findRunning(session.folder);
  if (running === undefined) return existingWarehouse(session);
  throw new FedloopError('WarehouseBusy', `run ${running.id} has the warehouse open`, {
    hint: 'Stop it first: `fedloop down`. `fedloop sql --csv` reads it meanwhile.',
  });
}
