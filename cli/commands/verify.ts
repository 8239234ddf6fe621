import { type Command, Option } from 'commander';
import { type VerifyOptions } from '../actions/verify';
import { duration, jsonOption, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Reads edge-iiot-stream from its first event and the decisions logged in stream-checkpoints and model-deployments, runs
both through the engine of the stream workers, and compares every row with stream_analysis_results, model_evaluations and
rejected_rows. For each partition it also adds up the verdicts of its events.

Ends with 0 when there is no difference, 1 when there is one, 2 when the comparison is not possible.

Examples:
  $ fedloop verify
  $ fedloop verify --json --wait 2m
  $ KAFKA_BROKERS=kafka:9092 fedloop verify --analytics http://10.0.0.7:9464
`;

/** `fedloop verify`: do the tables hold exactly the rows that follow from the event log? */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .summary('compare every row with the event log')
    .description(
      'Recompute every row from the event log and list those that the tables lack or hold with other values.',
    )
    .option('--analytics <url>', 'the analytics worker to query (default: of the system in this folder)')
    .addOption(
      new Option('--wait <duration>', 'how long to wait for rows that are not in the tables yet')
        .argParser(duration)
        .default(30_000, '30s'),
    )
    .option('--show <n>', 'differences to show in full', wholeNumber(0), 20)
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: VerifyOptions) =>
      withSession(async (session) => {
        const { verify } = await import('../actions/verify.js');
        await verify(session, options);
      }),
    );
}
