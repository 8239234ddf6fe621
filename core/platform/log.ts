import pino, { type Logger } from 'pino';

export type { Logger };

const SECRETS = ['password', '*.password', 'apiKey', '*.apiKey', 'sasl', '*.sasl'];

/** Structured logs on stderr, one JSON object a line; secrets are cut out by name wherever they stand. */
export function createLogger(name: string, level: string): Logger {
  const redact = { paths: SECRETS, censor: '[hidden]' };
  return pino({ name, level, redact }, pino.destination({ fd: 2, sync: false }));
}

/** A logger that writes nothing, for pure use and tests. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
