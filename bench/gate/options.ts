import { Command } from 'commander';
import { wholeNumber } from '../../cli/shared/options';
import { listOf } from '../support/options';

export interface Options {
  readonly data: string;
  readonly devices: readonly number[];
  readonly seeds: readonly number[];
  readonly rounds: number;
  readonly json: boolean;
}

/** Read the command line; ends the process with a message for what is wrong, or with the help that was asked for. */
export function readOptions(): Options {
  return new Command('bench:gate')
    .description(
      'How often the gate is wrong: rounds with candidates of known worth, on resampled errors of real versions, at both clocks.',
    )
    .option('--data <folder>', 'recorded series', 'data/weather')
    .option('--devices <n,…>', 'sizes of the fleet', listOf(wholeNumber(2)), [20, 300, 2_407])
    .option(
      '--seeds <n,…>',
      'fleets that are recorded, at each clock',
      listOf(wholeNumber(1)),
      [101, 102, 103, 104, 105, 106, 107, 108],
    )
    .option('--rounds <n>', 'simulated rounds of each kind, clock and size', wholeNumber(1), 1_000)
    .option('--json', 'print the results as JSON', false)
    .parse()
    .opts<Options>();
}
