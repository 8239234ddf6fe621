import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { type Writable } from 'node:stream';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import {
  DEFAULT_STREAM_SETTINGS,
  type StreamSettings,
  streamSettingsSchema,
} from '../../core/contracts/settings';
import { MICROS_PER_MILLI } from '../../core/contracts/time';
import { parseOrThrow } from '../../core/contracts/validation';
import { decodeModel } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';
import { linesOf } from '../../core/stream/parse/lines';
import { modelForecaster } from '../../core/stream/forecasts/model-forecaster';
import { replayLines } from '../../core/stream/replay/replay';
import { bytes as sized } from '../shared/format';
import { LIMITS } from '../shared/limits';
import { outputStream } from '../shared/standard-output';
import { createProgress, type Progress, silentProgress, type Step } from '../progress';
import { jsonReport, tableReport, type Write } from './replay-output';

export interface ReplayOptions {
  readonly window: number;
  readonly watermark: number;
  readonly partitions: number;
  readonly model?: string;
  readonly tolerance: number;
  readonly flush?: true;
  readonly json?: true;
}

/** @throws FedloopError `InvalidConfig` for a watermark that would keep too many windows open. */
function settingsOf({ window, watermark, tolerance }: ReplayOptions): StreamSettings {
  const { task } = DEFAULT_STREAM_SETTINGS;
  const settings = {
    ...DEFAULT_STREAM_SETTINGS,
    task: { ...task, windowMicros: window, target: { ...task.target, tolerance } },
    watermarkMicros: watermark,
  };
  return parseOrThrow(streamSettingsSchema, settings, 'the options', 'InvalidConfig');
}

/** Push a file of events through the stream engine and print what it would have written. */
export async function replay(file: string, options: ReplayOptions): Promise<void> {
  const model = options.model === undefined ? undefined : await readModel(options.model);
  const forecaster = modelForecaster(() => model);
  const settings = settingsOf(options);
  const write = writerTo(outputStream());
  const report =
    options.json === true ? jsonReport(write, settings.task) : tableReport(write, settings.task.target);
  // Rows that scroll by on the same terminal show progress enough.
  const progress = options.json === true && process.stdout.isTTY ? silentProgress : createProgress();
  try {
    const summary = await replayLines(
      linesOf(withProgress(bytesOf(file), progress, file, await sizeOf(file))),
      {
        settings,
        partitions: options.partitions,
        versions: model === undefined ? [] : [model.metadata.version],
        residualStddev: model?.metadata.residualStddev ?? null,
        forecaster: forecaster.forecast,
        flush: options.flush === true,
        believedUntil: Date.now() * MICROS_PER_MILLI + settings.futureMicros,
      },
      report,
    );
    await report.finish(summary);
  } catch (thrown) {
    if (!(thrown instanceof ReaderGone)) throw thrown;
  } finally {
    progress.stop();
    await forecaster.release();
  }
}

async function readModel(path: string): Promise<GlobalModel> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause, 'Give the path of a model file, as `fedloop models export` writes it.');
  }
  try {
    return decodeModel(bytes);
  } catch (cause) {
    if (!(cause instanceof FedloopError)) throw cause;
    throw new FedloopError(cause.code, `${path} is ${cause.message}`, { cause });
  }
}

async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  const source =
    file === STANDARD_INPUT ? process.stdin : createReadStream(file, { highWaterMark: READ_BYTES });
  try {
    for await (const piece of source) if (piece instanceof Uint8Array) yield piece;
  } catch (cause) {
    throw unreadable(file, cause, 'Give the path of a file with one event a line, or - for standard input.');
  }
}

/** The pieces as they come. Shows how far reading is once it takes longer than `quietMillis`. */
async function* withProgress(
  pieces: AsyncIterable<Uint8Array>,
  progress: Progress,
  file: string,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  const began = performance.now();
  let step: Step | undefined;
  let read = 0;
  try {
    for await (const piece of pieces) {
      yield piece;
      read += piece.length;
      if (performance.now() - began < LIMITS.quietMillis) continue;
      step ??= progress.step(`Replaying ${nameOf(file)}`);
      step.update(sized(read), size === undefined ? undefined : Math.min(1, read / size));
    }
    step?.done(sized(read));
    step = undefined;
  } finally {
    step?.fail('stopped');
  }
}

/** Bytes of a plain file; undefined where the end is not known. */
async function sizeOf(file: string): Promise<number | undefined> {
  if (file === STANDARD_INPUT) return undefined;
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() === true && found.size > 0 ? found.size : undefined;
}

/** Large reads: a pass through the event loop for every 64 KB would be felt. */
const READ_BYTES = 1024 * 1024;

function unreadable(path: string, cause: unknown, hint: string): FedloopError {
  return new FedloopError('NotFound', `${nameOf(path)} cannot be read: ${messageOf(cause)}`, {
    hint,
    cause,
  });
}

const STANDARD_INPUT = '-';

function nameOf(path: string): string {
  return path === STANDARD_INPUT ? 'standard input' : path;
}

/** The reader has closed our output, as `head` does: not a failure, and nothing is left to do. */
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
