import { type Command } from 'commander';
import { type StartOptions } from '../actions/round';
import { json, jsonOption } from '../shared/options';
import { withSession } from '../system/session';

/** `fedloop round start`: a round by hand, as from Temporal's UI. */
export function registerRound(program: Command): void {
  const round = program.command('round').summary('start a round by hand').description('Federated rounds.');
  round
    .command('start')
    .description('Start one round on the running system, or on the server that TEMPORAL_ADDRESS names.')
    .option('--input <json>', 'the round’s input: JSON, @file or - for standard input', json)
    .option('--preset <name>', 'the input of that name in the deployment file; --input changes it')
    .option('--wait', 'follow it to its end')
    .option('--when-ready', 'wait until the fleet has windows enough for a round, then follow it')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `\nExamples:\n  $ fedloop round start --wait --input '{"participants": 20, "strategy": "fedavg"}'\n  $ fedloop round start --when-ready\n`,
    )
    .action((options: StartOptions) =>
      withSession(async (session) => {
        const { startRound } = await import('../actions/round.js');
        await startRound(session, options);
      }),
    );
}
