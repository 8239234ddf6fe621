import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
While a system runs, its analytics worker counts (workflow batchAnalytics), and DIR must lie in the processed/ folder of the
run. While none runs, the files are counted into the warehouse that \`fedloop sql\` queries. Broken rows are listed in the
table rejected_rows, with file and line. Timestamps are ISO 8601 (without a zone: UTC) or milliseconds since 1970.
`;

/** `fedloop batch [DIR]`: daily figures from processed files. */
export function registerBatch(program: Command): void {
  program
    .command('batch')
    .summary('count processed files into daily figures')
    .description(
      'AVG, MIN, MAX, STDDEV and COUNT per device, UTC day and sensor, into batch_analysis_results. Doing it again changes nothing.',
    )
    .argument('[dir]', 'folder of CSV or Parquet files (the run’s processed/)')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((directory: string | undefined, options: { json?: boolean }) =>
      withSession(async (session) => {
        const { batch } = await import('../actions/batch.js');
        await batch(session, directory, options);
      }),
    );
}
