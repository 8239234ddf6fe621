import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { participants, positiveNumber, wholeNumber } from '../../cli/shared/options';
import { listOf, oneOf } from '../support/options';
import { STRATEGY_NAMES } from '../../core/contracts/strategies';
import { CLOCKS, type Clock } from '../../fleet/settings';
import { contendersNamed, CONTENDERS, type Contender } from './contenders';
import { LOOP_SCENARIOS, type LoopScenario } from './scenarios';

export interface Options {
  readonly data: string;
  readonly devices: number;
  readonly participants: number | 'all';
  readonly rounds: number;
  readonly windows: number;
  readonly scenario: readonly LoopScenario[];
  readonly clock: readonly Clock[];
  readonly strategy: readonly Contender[];
  readonly seeds: readonly number[];
  readonly lastRounds: number;
  readonly changeRound: number;
  readonly tolerance: number;
  readonly processes: number;
  readonly bounds: boolean;
  readonly json: boolean;
}

/** Every scenario but the one that has a little of everything. */
const DEFAULT_SCENARIOS = LOOP_SCENARIOS.filter((scenario) => scenario !== 'everyday');
const DEFAULT_SEEDS = [101, 102, 103, 104, 105, 106, 107, 108];

/** Read the command line; ends the process with a message for what is wrong, or with the help that was asked for. */
export function readOptions(): Options {
  return new Command('bench:loop')
    .description(
      'Play federated rounds without servers: closed loop against open loop, part by part, paired by seed.',
    )
    .option('--data <folder>', 'recorded series', 'data/weather')
    .option('--devices <n>', 'size of the fleet', wholeNumber(1), 2_407)
    .option('--participants <n|all>', 'devices that train in a round', participants, 20)
    .option('--rounds <n>', 'rounds', wholeNumber(1), 12)
    .option('--windows <n>', 'live windows of a round', wholeNumber(1), 6)
    .option(
      '--scenario <name,…>',
      `of ${LOOP_SCENARIOS.join(', ')}`,
      listOf(oneOf(LOOP_SCENARIOS)),
      DEFAULT_SCENARIOS,
    )
    .option('--clock <name,…>', CLOCKS.join(', '), listOf(oneOf(CLOCKS)), [...CLOCKS])
    .addOption(
      new Option('--strategy <name,…>', 'contenders; "all", or names of contenders or strategies')
        .argParser(strategies)
        .default(CONTENDERS, 'all'),
    )
    .option('--seeds <n,…>', 'one fleet and run each', listOf(wholeNumber(1)), DEFAULT_SEEDS)
    .option('--last-rounds <n>', 'rounds at the end that count', wholeNumber(1), 4)
    .option(
      '--change-round <n>',
      'round (from 1) at whose first live window the scenario changes',
      wholeNumber(1),
      7,
    )
    .option('--tolerance <size>', 'a forecast this near is right', positiveNumber, 1)
    .option(
      '--processes <n>',
      'fleets played at once, one a core by default',
      wholeNumber(1),
      availableParallelism(),
    )
    .option('--no-bounds', 'leave out persistence and central training')
    .option('--json', 'print the results as JSON', false)
    .parse()
    .opts<Options>();
}

function strategies(text: string): readonly Contender[] {
  const named = text === 'all' ? CONTENDERS : contendersNamed(text.split(',').map((name) => name.trim()));
  if (named === null) {
    throw new InvalidArgumentError(
      `must be of ${CONTENDERS.map(({ name }) => name).join(', ')}, or of ${STRATEGY_NAMES.join(', ')}`,
    );
  }
  return named;
}
