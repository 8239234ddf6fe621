import { type Command, InvalidArgumentError } from 'commander';
import { type BacktestCommandOptions } from '../actions/backtest';
import {
  duration,
  jsonOption,
  participants,
  positiveNumber,
  strategyOption,
  wholeNumber,
  wordOr,
} from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
DATA is a file or folder of CSV (also .csv.gz) or Parquet with device_id, timestamp and the sensors. It is played as it is, at
its own times: nothing is invented. Needs no servers. The rows are kept in runs/<id>/.
A deployment file (--config, FEDLOOP_CONFIG, else fedloop.yaml of this folder) says what target, covariates, window and tolerance are.

Examples:
  $ fedloop backtest data/weather --rounds 6
  $ fedloop backtest pumps.parquet --target vibration --unit mm/s --covariate current --window 1m
  $ fedloop backtest history/ --config fedloop.yaml --json > backtest.json
`;

/** `fedloop backtest`: what rounds would have been worth on recorded readings. */
export function registerBacktest(program: Command): void {
  program
    .command('backtest')
    .argument('<data>', 'recorded readings: a file or a folder')
    .summary('rounds on your own recorded readings, without servers')
    .description(
      'Play recorded readings through the stream engine, federated rounds and the gate in this process, and compare the versions with persistence, a seasonal naive and a linear forecast.',
    )
    .option('--target <column>', 'what is forecast (temperature)')
    .option('--unit <unit>', 'its unit', '')
    .option('--covariate <column>', 'a column that helps to forecast it; can be given again', collect, [])
    .option(
      '--window <duration>',
      'length of a window (of the file, else the spacing of the readings)',
      windowLength,
    )
    .option(
      '--tolerance <number|auto>',
      'a forecast this close is right; auto: the median change from window to window (of the file, else auto)',
      wordOr('auto', positiveNumber),
    )
    .option(
      '--rounds <n|auto>',
      'rounds, spread evenly over the recording',
      wordOr('auto', wholeNumber(1, 1_000)),
      'auto',
    )
    .option('--windows <n>', 'windows to judge candidates on', wholeNumber(1, 1_000), 6)
    .option('--participants <n|all>', 'devices that train in a round', participants, 'all')
    .addOption(strategyOption())
    .option('--season <duration>', 'the seasonal naive forecast looks back so far', duration, 86_400_000)
    .option('--seed <n>', 'decides selection, panels and shuffles', wholeNumber(0, 0x7fffffff), 1)
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((data: string, options: BacktestCommandOptions) =>
      withSession(async (session) => {
        const { backtest } = await import('../actions/backtest.js');
        await backtest(session, data, options);
      }),
    );
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function windowLength(text: string): number {
  const length = duration(text);
  if (length <= 0) throw new InvalidArgumentError('It must be longer than nothing.');
  return length;
}
