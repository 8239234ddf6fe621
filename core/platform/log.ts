import pino, { type DestinationStream, type Logger } from 'pino';

export type { Logger };

const SECRETS = ['password', '*.password', 'apiKey', '*.apiKey', 'sasl', '*.sasl'];

/** Lines that wait for a log which takes none, such as a file on a full disk: what comes on top of them is dropped. */
const MAX_WAITING_BYTES = 1_048_576;

/** Structured logs on stderr, one JSON object a line; secrets are cut out by name wherever they stand. */
export function createLogger(name: string, level: string): Logger {
  const redact = { paths: SECRETS, censor: '[hidden]' };
  const stderr = survivingDestination(2);
  const log = pino({ name, level, redact }, stderr.stream);
  stderr.onRecovered((dropped) => {
    log.warn({ dropped }, 'the log could not be written for a while');
  });
  return log;
}

/**
 * A destination that outlives a full disk. By itself the library ends the process at the first line that cannot be written, and keeps
 * it from ending until there is space again.
 */
function survivingDestination(fd: number): {
  readonly stream: DestinationStream;
  readonly onRecovered: (listener: (dropped: number) => void) => void;
} {
  const stream = pino.destination({ fd, sync: false, maxLength: MAX_WAITING_BYTES });
  let isFailing = false;
  let dropped = 0;
  let listener: (dropped: number) => void = () => undefined;
  stream.on('error', () => {
    isFailing = true;
  });
  stream.on('drop', () => {
    dropped += 1;
  });
  stream.on('write', () => {
    if (!isFailing) return;
    isFailing = false;
    listener(dropped);
    dropped = 0;
  });
  // Called when the process ends: it would try for ever.
  const flush = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    if (!isFailing) flush();
  };
  return {
    stream,
    onRecovered: (wanted) => {
      listener = wanted;
    },
  };
}

/** A logger that writes nothing, for pure use and tests. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
