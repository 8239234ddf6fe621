import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

/** `fedloop strategies`: how updates can be aggregated. */
export function registerStrategies(program: Command): void {
  program
    .command('strategies')
    .summary('how updates can be aggregated')
    .description(
      'Every strategy with its formula, its source and the settings that `strategySettings` of a round’s input takes.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { strategies } = await import('../actions/strategies.js');
        strategies(session, options);
      }),
    );
}
