import { type Command, Option } from 'commander';
import { askTable, type AnswerTable } from '../ask';
import { renderCsv, renderJson, renderTable } from '../answer';
import { findRunning } from '../running';
import { withSession, type Session } from '../session';
import { askFile } from '../ask-file';
import { unlessAborted } from '../wait';
import { existingWarehouse } from '../warehouse-at-rest';

interface SqlOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
}

const HELP = `
Asks the running system where there is one, else the warehouse of the latest run. SELECT alone.

Examples:
  $ fedloop sql "SELECT * FROM model_scoreboard"
  $ fedloop sql "SELECT model_version, avg(is_correct::INT) FROM model_evaluations GROUP BY 1" --csv
  $ fedloop sql "SHOW TABLES"
`;

/** `fedloop sql`: the tables, as a table. */
export function registerSql(program: Command): void {
  program
    .command('sql')
    .summary('ask the tables')
    .description('Print what one SQL question gives, as a table.')
    .argument('<question>', 'SQL as DuckDB understands it')
    .addOption(new Option('--json', 'an array of objects').conflicts('csv'))
    .addOption(new Option('--csv', 'comma-separated, with a header'))
    .addHelpText('after', HELP)
    .action((sql: string, options: SqlOptions) =>
      withSession(async (session) => {
        const answer = await unlessAborted(askAny(session, sql), session.signal);
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
      }),
    );
}

async function askAny(session: Session, sql: string): Promise<AnswerTable> {
  const running = await findRunning(session.folder);
  const analytics = running?.workers.find(({ role }) => role === 'analytics');
  return analytics === undefined
    ? askFile(await existingWarehouse(session), sql)
    : askTable(analytics.url, sql);
}
