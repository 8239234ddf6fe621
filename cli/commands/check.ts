import { type Command } from 'commander';
import { type CheckOptions } from '../actions/check';
import { sampleOptions } from '../sample/options';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
The messages go the way that they would go live, in memory and without servers: through the mapping of the deployment
file, and through the engine of the stream workers. --config, FEDLOOP_CONFIG, else fedloop.yaml of this folder is the file. Readings are told apart by device and instant. Ends with 2 when
the file does not fit the messages, or when nothing would be accepted.

Examples:
  $ fedloop check --from messages.jsonl
  $ fedloop check --topic plant.telemetry --config plant.yaml
  $ fedloop check --from dump.jsonl.gz --json
`;

/** `fedloop check`: what would become of a fleet's messages. */
export function registerCheck(program: Command): void {
  const command = program
    .command('check')
    .summary('what would become of your messages')
    .description(
      'Say what a deployment file makes of real messages: accepted, rejected by reason with an example and a remedy, windows, and when forecasts are possible.',
    );
  for (const option of sampleOptions()) command.addOption(option);
  command
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: CheckOptions) =>
      withSession(async (session) => {
        const { check } = await import('../actions/check.js');
        await check(session, options);
      }),
    );
}
