import { type Command, Option } from 'commander';
import { type SqlOptions } from '../actions/sql';
import { withSession } from '../system/session';

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
    .action((question: string, options: SqlOptions) =>
      withSession(async (session) => {
        const { sql } = await import('../actions/sql.js');
        await sql(session, question, options);
      }),
    );
}
