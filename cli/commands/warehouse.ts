import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Commands act on the warehouse that \`fedloop sql\` queries. compact, export and adopt need the system stopped (\`fedloop down\`).
`;

/** `fedloop warehouse`: the DuckDB file itself. */
export function registerWarehouse(program: Command): void {
  const warehouse = program
    .command('warehouse')
    .summary('size and rows of the DuckDB file; compact, export, adopt')
    .description('Maintain the DuckDB file that holds everything measured.')
    .addHelpText('after', HELP);
  warehouse
    .command('info')
    .description('Size, rows by table, the span of the rows of windows, and how long they are kept.')
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { info } = await import('../actions/warehouse.js');
        await info(session, options.json === true);
      }),
    );
  warehouse
    .command('compact')
    .description('Rewrite the file without the space that expired rows have left.')
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { compact } = await import('../actions/warehouse.js');
        await compact(session, options.json === true);
      }),
    );
  warehouse
    .command('export')
    .description('Every table as a Parquet file, for other tools.')
    .argument('<folder>', 'a folder that is empty or does not exist yet')
    .addOption(jsonOption())
    .action((folder: string, options: { json?: boolean }) =>
      withSession(async (session) => {
        const { exportTables } = await import('../actions/warehouse.js');
        await exportTables(session, folder, options.json === true);
      }),
    );
  warehouse
    .command('adopt')
    .description('Let the file go on with other Kafka brokers, which took the place of those that filled it.')
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { adopt } = await import('../actions/warehouse.js');
        await adopt(session, options.json === true);
      }),
    );
}
