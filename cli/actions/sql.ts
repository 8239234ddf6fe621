import { setImmediate as nextTurn } from 'node:timers/promises';
import { queryTable, type AnswerTable } from '../query/query-worker';
import { renderCsv, renderJson, tableParts } from '../query/answer';
import { analyticsOf, findRunning } from '../system/running';
import { type Session } from '../system/session';
import { queryFile } from '../query/query-file';
import { unlessAborted } from '../shared/wait';
import { existingWarehouse } from '../query/warehouse-at-rest';

export interface SqlOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** Run one query and print its answer in the chosen form. */
export async function sql(session: Session, query: string, options: SqlOptions): Promise<void> {
  const answer = await unlessAborted(queryTables(session, query), session.signal);
  if (options.json === true) session.out(renderJson(answer));
  else if (options.csv === true) session.out(renderCsv(answer));
  else await printTable(session, answer);
  if (answer.truncated)
    session.progress.note(
      `There are more rows than the ${answer.rows.length.toLocaleString('en')} that one answer holds; use LIMIT and OFFSET.`,
    );
}

/** A long one takes seconds, and Ctrl-C ends it. */
async function printTable(session: Session, answer: AnswerTable): Promise<void> {
  for (const part of tableParts(answer)) {
    await nextTurn();
    session.signal.throwIfAborted();
    session.out(part);
  }
}

async function queryTables(session: Session, sql: string): Promise<AnswerTable> {
  const analytics = await analyticsOf(await findRunning(session.folder), session.env);
  return analytics === undefined
    ? queryFile(await existingWarehouse(session), sql, session.signal)
    : queryTable(analytics.url, sql, { token: analytics.token, signal: session.signal });
}
