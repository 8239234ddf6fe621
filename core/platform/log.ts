import pino, { type Logger } from 'pino';

export type { Logger };

/** Structured logs on stderr, one JSON object a line; secrets are cut out by name wherever they stand. */
export function createLogger(name: string, level: string): Logger {
  return pino(
    {
      name,
      level,
      redact: {
        paths: ['password', '*.password', 'apiKey', '*.apiKey', 'sasl', '*.sasl'],
        censor: '[hidden]',
      },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}

/** A logger that says nothing, for pure use and tests. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
