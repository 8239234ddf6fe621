import { type Command, InvalidArgumentError, Option } from 'commander';
import { fleetNameSchema } from '../../core/contracts/ids';
import { pathSchema, TIME_UNITS } from '../../core/contracts/source';
import { type AskedHint, FLAGS } from '../../core/ingest/inspect/hints';
import { HINT_SCHEMAS } from '../../core/ingest/inspect/parse-hint';
import { type InitOptions } from '../actions/init';
import { jsonOption, positiveNumber } from '../shared/options';
import { sampleOptions } from '../sample/options';
import { withSession } from '../system/session';

const HELP = `
What the messages leave open, such as which of two fields is the device, is a question on a terminal. Elsewhere, and
with --yes, it is an error that names the option which answers it. Nothing is guessed.

A path begins with / and names one field after the other: /meta/asset/id. With --each, paths are looked for in the
element first, and then in the message.

Examples:
  $ fedloop init --from messages.jsonl
  $ fedloop init --topic plant.telemetry --fleet pumps --target /v/rms
  $ fedloop init --from export.csv --yes --timestamp /time --time-unit s --target /temp --window 5m
  $ zcat dump.jsonl.gz | fedloop init --from - --each /readings --out plant.yaml
`;

const WHAT: Record<AskedHint, readonly [string, string]> = {
  deviceId: ['<path>', 'the field that names the device'],
  timestamp: ['<path>', 'the field with the time of a reading'],
  timeUnit: ['<unit>', `how it tells the time: ${TIME_UNITS.join(', ')}`],
  target: ['<path>', 'the field with the sensor to forecast'],
  each: ['<path>', 'an array in a message whose elements are readings; / is the message itself'],
  wide: [
    '<pattern>',
    'names of fields that are one device each, with * for the device: temperature_*, /devices/*/temp',
  ],
  window: ['<duration>', 'length of a window'],
  hold: ['<duration>', 'for sensors that send on change: how long a reading stays true'],
  duplicates: [
    '<rule>',
    'readings of a device are duplicates when they agree in time, or in time and reading',
  ],
};
const HINT_NAMES = Object.keys(FLAGS).filter((name): name is AskedHint => Object.hasOwn(FLAGS, name));

/** `fedloop init`: a fleet's file from its messages. */
export function registerInit(program: Command): void {
  const command = program
    .command('init')
    .summary('describe your fleet in a file, from its own messages')
    .description(
      'Look at real messages, find the device, the time and the sensors in them, and write fedloop.yaml with a comment on each choice.',
    );
  for (const option of sampleOptions()) command.addOption(option);
  for (const name of HINT_NAMES) {
    const [value, description] = WHAT[name];
    command.addOption(new Option(`${FLAGS[name]} ${value}`, description).argParser(hintParser(name)));
  }
  command
    .addOption(
      new Option('--covariate <path>', 'a sensor that helps to forecast the target; may be repeated')
        .argParser(collectPaths)
        .default([], 'those that vary'),
    )
    .addOption(
      new Option('--tolerance <n>', 'a forecast this close is correct: a number, or auto').argParser(
        tolerance,
      ),
    )
    .addOption(new Option('--fleet <name>', "the fleet's name").argParser(fleetName))
    .option('--out <file>', 'where to write the file', 'fedloop.yaml')
    .option('--force', 'overwrite the file')
    .option('--yes', 'ask nothing; fail where something is open')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: InitOptions) =>
      withSession(async (session) => {
        const { init } = await import('../actions/init.js');
        await init(session, options);
      }),
    );
}

function hintParser(name: AskedHint): (text: string) => string {
  return (text) => accepted(HINT_SCHEMAS[name].safeParse(text));
}

function collectPaths(text: string, before: readonly string[]): readonly string[] {
  return [...before, accepted(pathSchema.safeParse(text))];
}

function fleetName(text: string): string {
  return accepted(fleetNameSchema.safeParse(text));
}

function tolerance(text: string): number | 'auto' {
  return text === 'auto' ? text : positiveNumber(text);
}

function accepted<Value>(
  parsed:
    | { readonly success: true; readonly data: Value }
    | {
        readonly success: false;
        readonly error: { readonly issues: readonly { readonly message: string }[] };
      },
): Value {
  if (parsed.success) return parsed.data;
  const sentence = parsed.error.issues[0]?.message ?? 'It is not valid';
  throw new InvalidArgumentError(`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`);
}
