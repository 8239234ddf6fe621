import { type Command } from 'commander';
import { type StrategyCheckOptions } from '../actions/strategy-check';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
A module exports aggregate(updates, context, settings), which returns {delta}; docs/strategies.md says the rest. A round names it as
"./FILE.js" or "package:NAME", in the folder that the rounds worker is given as FEDLOOP_STRATEGIES.

Checked are: shape and finite numbers, the same step for the same updates and in any order of them, updates left as they are, one
participant, updates of zeros, extremes, and a second round. Ends with 1 when a check fails. What the module prints goes to stderr.

Examples:
  $ fedloop strategy check ./examples/strategies/norm-bounded.js
  $ fedloop strategy check ./mine.mjs --json
  $ fedloop strategy check fedavg
`;

/** `fedloop strategy`: strategies of one's own. */
export function registerStrategy(program: Command): void {
  const strategy = program
    .command('strategy')
    .summary('check a strategy of your own')
    .description('Strategies of your own.')
    .addHelpText('after', HELP);
  strategy
    .command('check')
    .argument('<module>', 'a file, package:NAME, or one of `fedloop strategies`')
    .description('Hold a strategy to what a round needs of it, without servers.')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((named: string, options: StrategyCheckOptions) =>
      withSession(async (session) => {
        const { strategyCheck } = await import('../actions/strategy-check.js');
        await strategyCheck(session, named, options);
      }),
    );
}
