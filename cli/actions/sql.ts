import { askTable, type AnswerTable } from '../ask';
import { renderCsv, renderJson, renderTable } from '../answer';
import { findRunning } from '../running';
import { type Session } from '../session';
import { askFile } from '../ask-file';
import { unlessAborted } from '../wait';
import { existingWarehouse } from '../warehouse-at-rest';

export interface SqlOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** One question, and its answer in the form that is wanted. */
export async function sql(session: Session, question: string, options: SqlOptions): Promise<void> {
  const answer = await unlessAborted(askAny(session, question), session.signal);
  session.out(
    options.json === true
      ? renderJson(answer)
      : options.csv === true
        ? renderCsv(answer)
        : renderTable(answer),
  );
  if (answer.truncated)
    session.progress.note(
      `There are more rows than the ${answer.rows.length.toLocaleString('en')} that one answer holds; use LIMIT and OFFSET.`,
    );
}

async function askAny(session: Session, sql: string): Promise<AnswerTable> {
  const running = await findRunning(session.folder);
  const analytics = running?.workers.find(({ role }) => role === 'analytics');
  return analytics === undefined
    ? askFile(await existingWarehouse(session), sql)
    : askTable(analytics.url, sql);
}
