import { type Command, Option } from 'commander';
import { CLOCKS } from '../../fleet/settings';
import { type DemoOptions } from '../demo/settings';
import {
  jsonOption,
  participants,
  port,
  positiveNumber,
  speed,
  strategyOption,
  wholeNumber,
} from '../shared/options';
import { withSession } from '../system/session';

const MAX_SEED = 0x7fffffff;

const HELP = `
It starts what it needs on free ports of this machine and stops it at the end. The result is a table, and
runs/<id>/summary.json with the same figures and every setting. The fleet is simulated from recordings: each device replays
a stretch of one, with offsets, noise and faults of its own, unless --as-recorded is given. \`fedloop backtest\` plays your
own recordings at their own times.

Examples:
  $ fedloop demo --devices 200 --rounds 2
  $ fedloop demo --data my-sensors/ --tolerance 0.5
  $ fedloop demo --participants 20 --strategy fedavg --stay
`;

/** `fedloop demo`: the whole system at work. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .summary('real servers, a fleet, and measured rounds')
    .description(
      'Bring up Kafka, Temporal, the workers and a fleet that replays recorded series; train, measure, report.',
    )
    .option('--rounds <n>', 'federated rounds', wholeNumber(1, 100_000), 5)
    .option('--devices <n>', 'devices of the fleet', wholeNumber(1, 1_000_000), 2_407)
    .option('--data <folder>', 'recorded series: CSV (also .gz) or Parquet', 'data/weather')
    .option('--as-recorded', 'each series is one device, without invented offsets, noise, faults or times')
    .option('--label-column <name>', 'column of the data that marks real anomalies')
    .option(
      '--history <n>',
      'windows of the past that each device has (a fortnight of hours)',
      wholeNumber(25, 100_000),
    )
    .option(
      '--seed <n>',
      'decides data, selection, shuffles and the first weights',
      wholeNumber(0, MAX_SEED),
      1,
    )
    .option(
      '--speed <factor>',
      'times the wall clock, or max = as fast as the stream worker keeps up',
      speed,
      'max',
    )
    .addOption(
      new Option('--clock <kind>', 'do devices live at hours of their own or all at the same')
        .choices(CLOCKS)
        .default('independent'),
    )
    .option('--participants <n|all>', 'devices that train in a round', participants, 'all')
    .addOption(strategyOption())
    .option(
      '--tolerance <size>',
      'a forecast this close to the actual mean is correct, in the target’s unit',
      positiveNumber,
      1,
    )
    .option('--windows <n>', 'live windows that a candidate is judged on', wholeNumber(1, 1_000), 6)
    .option('--stay', 'leave everything up until Ctrl-C, and print the links')
    .option('--ui-port <port>', 'port of Temporal’s UI (any free one)', port)
    .option('--temporal-port <port>', 'port of Temporal (any free one)', port)
    .option('--kafka-port <port>', 'port of Kafka (any free one)', port)
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: DemoOptions) =>
      withSession(async (session) => {
        const { runDemo } = await import('../demo/run-demo.js');
        await runDemo(session, options);
      }),
    );
}
