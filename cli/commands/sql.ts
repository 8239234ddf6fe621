import { type Command, Option } from 'commander';
import { type SqlOptions } from '../actions/sql';
import { withSession } from '../system/session';

const HELP = `
Queries the running system where there is one, else the warehouse of the latest run. Only SELECT (and PIVOT, DESCRIBE,
SHOW, SUMMARIZE, EXPLAIN), without functions that act. It ends after 30 s, at 24 MB of answer, or when it needs too much
memory. A system of another folder wants its token in FEDLOOP_SQL_TOKEN.

Examples:
  $ fedloop sql "SELECT * FROM model_scoreboard"
  $ fedloop sql "SELECT model_version, avg(is_correct::INT) FROM model_evaluations GROUP BY 1" --csv
  $ fedloop sql "SHOW TABLES"
`;

/** `fedloop sql`: the tables, as a table. */
export function registerSql(program: Command): void {
  program
    .command('sql')
    .summary('query the tables')
    .description('Print the rows of one SQL query, as a table.')
    .argument('<query>', 'SQL as DuckDB understands it')
    .addOption(new Option('--json', 'an array of objects').conflicts('csv'))
    .addOption(new Option('--csv', 'comma-separated, with a header'))
    .addHelpText('after', HELP)
    .action((query: string, options: SqlOptions) =>
      withSession(async (session) => {
        const { sql } = await import('../actions/sql.js');
        await sql(session, query, options);
      }),
    );
}
