import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Writable } from 'node:stream';
import { type Command, InvalidArgumentError } from 'commander';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { MICROS_PER_MILLI } from '../../core/contracts/time';
import { decodeModel } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';
import { linesOf } from '../../core/stream/lines';
import { modelForecaster } from '../../core/stream/model-forecaster';
import { replayLines } from '../../core/stream/replay';
import { duration, jsonOption, positiveNumber, wholeNumber } from '../options';
import { jsonReport, tableReport, type Write } from './replay-output';

interface ReplayCommandOptions {
  readonly window: number;
  readonly watermark: number;
  readonly partitions: number;
  readonly model?: string;
  readonly tolerance: number;
  readonly flush?: true;
  readonly json?: true;
}

const MAX_PARTITIONS = 10_000;

const HELP = `
FILE holds one event a line:
  {"device_id":"a1","timestamp":"2020-01-01T00:00:00Z","temperature":21.5,"humidity":40,"pressure":1013}
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
    .option(
      '--window <duration>',
      'length of the tumbling windows',
      windowLength,
      DEFAULT_STREAM_SETTINGS.windowMicros,
    )
    .option(
      '--watermark <duration>',
      'how long a window waits for late events',
      micros,
      DEFAULT_STREAM_SETTINGS.watermarkMicros,
    )
    .option(
      '--partitions <n>',
      'spread the devices over so many partitions',
      wholeNumber(1, MAX_PARTITIONS),
      1,
    )
    .option('--model <file>', 'a model to forecast with and to evaluate')
    .option(
      '--tolerance <celsius>',
      'a forecast this close to the actual mean is correct',
      positiveNumber,
      DEFAULT_STREAM_SETTINGS.toleranceCelsius,
    )
    .option('--flush', 'close the windows that are open at the end of the input')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(replay);
}

async function replay(file: string, options: ReplayCommandOptions): Promise<void> {
  const model = options.model === undefined ? undefined : await readModel(options.model);
  const forecaster = modelForecaster(() => model);
  const write = writerTo(process.stdout);
  const report = options.json === true ? jsonReport(write) : tableReport(write, options.tolerance);
  try {
    const summary = await replayLines(
      linesOf(bytesOf(file)),
      {
        settings: {
          ...DEFAULT_STREAM_SETTINGS,
          windowMicros: options.window,
          watermarkMicros: options.watermark,
          toleranceCelsius: options.tolerance,
        },
        partitions: options.partitions,
        versions: model === undefined ? [] : [model.metadata.version],
        residualStddev: model?.metadata.residualStddev ?? null,
        forecaster: forecaster.forecast,
        flush: options.flush === true,
      },
      report,
    );
    await report.finish(summary);
  } catch (thrown) {
    if (!(thrown instanceof ReaderGone)) throw thrown;
  } finally {
    await forecaster.release();
  }
}

/** Shown as they were typed; carried as microseconds. */
function micros(text: string): number {
  return Math.round(duration(text) * MICROS_PER_MILLI);
}

function windowLength(text: string): number {
  const length = micros(text);
  if (length < 1) throw new InvalidArgumentError('It must be longer than nothing.');
  return length;
}

async function readModel(path: string): Promise<GlobalModel> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return decodeModel(bytes);
}

async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  const source = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: READ_BYTES });
  try {
    for await (const piece of source) if (piece instanceof Uint8Array) yield piece;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** Large reads: a pass through the event loop for every 64 KB would be felt. */
const READ_BYTES = 1024 * 1024;

function unreadable(path: string, cause: unknown): FedloopError {
  const name = path === '-' ? 'standard input' : path;
  return new FedloopError('NotFound', `${name} cannot be read: ${messageOf(cause)}`, { cause });
}

/** Whoever read our output has closed it, as `head` does: not a failure, and nothing is left to do. */
class ReaderGone extends Error {}

function writerTo(stream: Writable): Write {
  let gone = false;
  stream.on('error', () => {
    gone = true;
  });
  return async (text) => {
    if (gone) throw new ReaderGone();
    if (!stream.write(text))
      await Promise.race([once(stream, 'drain'), once(stream, 'error'), once(stream, 'close')]).catch(
        () => undefined,
      );
  };
}
