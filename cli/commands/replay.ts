import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { MICROS_PER_MILLI, MICROS_PER_SECOND } from '../../core/contracts/time';
import { type ReplayOptions } from '../actions/replay';
import { duration, jsonOption, positiveNumber, wholeNumber } from '../shared/options';

const MAX_PARTITIONS = 10_000;

const HELP = `
FILE holds one event a line:
  {"device_id":"a1","timestamp":"2020-01-01T00:00:00Z","temperature":21.5,"humidity":40,"pressure":1013}
Timestamps are ISO 8601 (without a zone: UTC) or, as numbers, milliseconds since 1970.
A line that is no event is reported and counted. "record_timestamp" in an event stands for the time that Kafka
would have stamped on it; without it nothing is in the future.

Examples:
  $ fedloop replay events.jsonl
  $ fedloop replay events.jsonl --window 1m --watermark 2m --flush --json > rows.jsonl
  $ zcat events.jsonl.gz | fedloop replay - --model models/global/latest_model/model.onnx
`;

/** `fedloop replay`: what the stream worker would have written for a file of events. */
export function registerReplay(program: Command): void {
  program
    .command('replay')
    .argument('<file>', 'JSON lines; - reads standard input')
    .summary('events from a file through the stream engine')
    .description(
      'Read events from a file and print the rows that the stream worker would have written; needs no servers.',
    )
    .addOption(
      new Option('--window <duration>', 'length of the tumbling windows')
        .argParser(windowLength)
        .default(
          DEFAULT_STREAM_SETTINGS.task.windowMicros,
          seconds(DEFAULT_STREAM_SETTINGS.task.windowMicros),
        ),
    )
    .addOption(
      new Option('--watermark <duration>', 'how long a window waits for late events')
        .argParser(micros)
        .default(DEFAULT_STREAM_SETTINGS.watermarkMicros, seconds(DEFAULT_STREAM_SETTINGS.watermarkMicros)),
    )
    .option(
      '--partitions <n>',
      'spread the devices over so many partitions',
      wholeNumber(1, MAX_PARTITIONS),
      1,
    )
    .option('--model <file>', 'a model to forecast with and to evaluate')
    .option(
      '--tolerance <size>',
      'a forecast this close to the actual mean is correct, in the target’s unit',
      positiveNumber,
      DEFAULT_STREAM_SETTINGS.task.target.tolerance,
    )
    .option('--flush', 'close the windows that are open at the end of the input')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(async (file: string, options: ReplayOptions) => {
      const { replay } = await import('../actions/replay.js');
      await replay(file, options);
    });
}

/** Microseconds of a duration. */
function micros(text: string): number {
  return Math.round(duration(text) * MICROS_PER_MILLI);
}

/** A default as a person would type it. */
function seconds(span: number): string {
  return `${span / MICROS_PER_SECOND}s`;
}

function windowLength(text: string): number {
  const length = micros(text);
  if (length < 1) throw new InvalidArgumentError('It must be longer than nothing.');
  return length;
}
