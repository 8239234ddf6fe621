import { fstatSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { machineError } from '../../core/contracts/machine-trouble';

const STDOUT = 1;

/**
 * Standard output, written to its last byte. Node takes a write to a file for whole that a full disk has cut short, and tells of one that failed
 * when a command may have ended already.
 * @throws FedloopError `InvalidInput` when a file takes no more
 */
export function writeOut(text: string | Uint8Array): void {
  if (!isFile()) {
    process.stdout.write(text);
    return;
  }
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at);
  } catch (cause) {
    throw machineError(
      'InvalidInput',
      cause,
      'standard output',
      'the output could not be written to its end',
    );
  }
}

/** The same as a stream. */
export function outputStream(): Writable {
  if (!isFile()) return process.stdout;
  return new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      try {
        writeOut(chunk);
        done();
      } catch (cause) {
        done(cause instanceof Error ? cause : new Error(String(cause)));
      }
    },
  });
}

/** Resolves once all that was written has left the process, as a command may end only then. */
export function outputFlushed(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write('', () => {
      resolve();
    });
  });
}

/** A file, or a device that is none of a terminal, as opposed to a terminal or a pipe. */
function isFile(): boolean {
  if (process.stdout.isTTY) return false;
  const kind = fstatSync(STDOUT);
  return kind.isFile() || kind.isCharacterDevice();
}
