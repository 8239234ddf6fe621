import { Command, InvalidArgumentError } from 'commander';
import { participants, positiveNumber, wholeNumber } from '../../cli/shared/options';
import { STRATEGY_NAMES, type StrategyName } from '../../core/contracts/strategies';
import { CLOCKS, SCENARIOS, type Clock, type Scenario } from '../../fleet/settings';
import { listOf, oneOf } from '../support/options';
import { LIE_NAMES, type LieName } from './lies';

export interface Options {
  readonly data: string;
  readonly devices: number;
  readonly participants: number | 'all';
  readonly rounds: number;
  readonly windows: number;
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly strategy: readonly StrategyName[];
  readonly lies: readonly LieName[];
  readonly shares: readonly number[];
  readonly seeds: readonly number[];
  readonly lastRounds: number;
  readonly changeRound: number;
  readonly tolerance: number;
  readonly json: boolean;
}

/** Read the command line; ends the process with a message for what is wrong, or with the help that was asked for. */
export function readOptions(): Options {
  return new Command('bench:liars')
    .description(
      'Points of accuracy that each strategy loses to liars: devices with false updates, claims and readings, sites with false sums and counts.',
    )
    .option('--data <folder>', 'recorded series', 'data/weather')
    .option('--devices <n>', 'size of the fleet', wholeNumber(1), 1_000)
    .option('--participants <n|all>', 'devices that train in a round', participants, 20)
    .option('--rounds <n>', 'rounds', wholeNumber(1), 12)
    .option('--windows <n>', 'live windows of a round', wholeNumber(1), 6)
    .option('--scenario <name>', `one of ${SCENARIOS.join(', ')}`, oneOf(SCENARIOS), 'stationary')
    .option('--clock <name>', CLOCKS.join(', '), oneOf(CLOCKS), 'independent')
    .option('--strategy <name,…>', 'strategies', listOf(oneOf(STRATEGY_NAMES)), STRATEGY_NAMES)
    .option('--lies <name,…>', LIE_NAMES.join(', '), listOf(oneOf(LIE_NAMES)), LIE_NAMES)
    .option(
      '--shares <percent,…>',
      'of devices (of sites, where they lie)',
      listOf(percent),
      [0.05, 0.1, 0.2],
    )
    .option('--seeds <n,…>', 'one fleet and run each', listOf(wholeNumber(1)), [101, 102, 103, 104])
    .option('--last-rounds <n>', 'rounds at the end that count', wholeNumber(1), 4)
    .option(
      '--change-round <n>',
      'round (from 1) at whose first live window the scenario changes',
      wholeNumber(1),
      7,
    )
    .option('--tolerance <size>', 'a forecast this near is right', positiveNumber, 1)
    .option('--json', 'print the results as JSON', false)
    .parse()
    .opts<Options>();
}

function percent(text: string): number {
  const value = positiveNumber(text);
  if (value >= 50) throw new InvalidArgumentError('must be under 50: no server can tell a majority of liars');
  return value / 100;
}
