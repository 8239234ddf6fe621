import { type Command, Option } from 'commander';
import { type VerifyOptions } from '../actions/verify';
import { duration, jsonOption, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Reads edge-iiot-stream from its first event, obeys what stream-checkpoints and model-deployments say was decided, runs
both through the engine that the stream workers run, and compares every row with stream_analysis_results,
model_evaluations and rejected_rows. Of each partition it also adds up what became of its events.

Ends with 0 when there is no difference, 1 when there is, 2 when it cannot be told.

Examples:
  $ fedloop verify
  $ fedloop verify --json --wait 2m
  $ KAFKA_BROKERS=kafka:9092 fedloop verify --analytics http://10.0.0.7:9464
`;

/** `fedloop verify`: is every row in the tables the one that the event log leads to? */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .summary('hold every row against the event log')
    .description(
      'Recompute every row from the event log and tell which ones the tables do not have, or have otherwise.',
    )
    .option('--analytics <url>', 'the analytics worker to ask (default: of the system in this folder)')
    .addOption(
      new Option('--wait <duration>', 'how long rows may be on their way into the tables')
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
