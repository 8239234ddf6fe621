import { type Command, Option } from 'commander';
import { type GivenOptions, type UpOptions } from '../actions/up';
import { jsonOption, port, positiveNumber, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Kafka, Temporal and the workers run in the background until \`fedloop down\`, also after this terminal is closed. One that ends
by itself is started again where it was, for as long as it takes; \`fedloop status\` shows how often, and why one does not
run. They end when their daemon is killed. Logs are in runs/<id>/logs/.

Servers of its own get no credentials: KAFKA_* without KAFKA_BROKERS, and TEMPORAL_* that name no server, are not used.
--resume brings back what ran: the simulated fleet, the deployment file, its own servers and their ports.

A deployment file (--config, FEDLOOP_CONFIG, else fedloop.yaml of this folder) describes the fleet: its settings are logged
when the fleet is new; one that runs already is joined when the file says the same, and refused otherwise. Without a file
and --fleet the workers wait for events of real devices in the topic edge-iiot-stream.

Examples:
  $ fedloop up && fedloop status
  $ fedloop up --fleet --devices 500 && fedloop round start --wait
  $ fedloop up --config pumps.yaml                a fleet of your own
  $ fedloop up --resume 20260102-030405-1a2b      go on where an earlier run stopped
`;

/** `fedloop up`: servers and workers, until `fedloop down`. */
export function registerUp(program: Command): void {
  program
    .command('up')
    .summary('servers and workers, until `fedloop down`')
    .description('Bring up Kafka, Temporal and the workers, and leave them running in the background.')
    .option('--fleet', 'a simulated fleet as well, paced by the rounds')
    .option('--devices <n>', 'devices of that fleet', wholeNumber(1, 1_000_000), 2_407)
    .option('--data <folder>', 'recorded series that it replays', 'data/weather')
    .option('--seed <n>', 'decides its data', wholeNumber(0, 0x7fffffff), 1)
    .option(
      '--tolerance <size>',
      'a forecast this close to the actual mean is correct, in the target’s unit',
      positiveNumber,
      1,
    )
    .option('--resume <run>', 'go on with the data of an earlier run instead of a new one')
    .option('--foreground', 'stay in this terminal until Ctrl-C, as a service manager wants it')
    .addOption(new Option('--run-id <id>').hideHelp())
    .option('--ui-port <port>', 'port of Temporal’s UI (any free one)', port)
    .option('--temporal-port <port>', 'port of Temporal (any free one)', port)
    .option('--kafka-port <port>', 'port of Kafka (any free one)', port)
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: UpOptions, command: Command) =>
      withSession(async (session) => {
        const { up } = await import('../actions/up.js');
        await up(session, options, givenOf(options, command));
      }),
    );
}

function givenOf(options: UpOptions, command: Command): GivenOptions {
  const names = Object.keys(options).filter((name): name is keyof UpOptions => name in options);
  return new Set(names.filter((name) => command.getOptionValueSource(name) === 'cli'));
}
