import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Writable } from 'node:stream';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { decodeModel } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';
import { linesOf } from '../../core/stream/lines';
import { modelForecaster } from '../../core/stream/model-forecaster';
import { replayLines } from '../../core/stream/replay';
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

/** Push a file of events through the stream engine and print what it would have written. */
export async function replay(file: string, options: ReplayOptions): Promise<void> {
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
