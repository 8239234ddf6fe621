import { z } from 'zod';

/** A sentence, not a page. */
const MAX_LENGTH = 300;

/** From this level on pino's lines tell of something wrong. */
const PINO_ERROR = 50;

const logEntry = z.object({
  level: z.number(),
  msg: z.string(),
  err: z.object({ message: z.string() }).optional(),
});

/**
 * What a program that failed said was wrong, as far as one can tell from the end of its output: the last error of a structured
 * log, else the first line that sounds like one, else the last line. Empty when it said nothing.
 */
export function errorLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.flatMap((line) => structuredError(line) ?? []);
  // Node signs off with its version, below the stack that says what happened.
  const plain = lines.filter((line) => !line.startsWith('{') && !line.startsWith('Node.js v'));
  const telling =
    errors.at(-1) ??
    plain.find((line) => /\b\w*error\b|exception|fatal|cannot|denied/i.test(line)) ??
    plain.at(-1) ??
    '';
  return telling.trim().slice(0, MAX_LENGTH);
}

/** Message of a line of pino's that reports an error. */
function structuredError(line: string): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const entry = logEntry.safeParse(json);
  if (!entry.success || entry.data.level < PINO_ERROR) return undefined;
  return entry.data.err === undefined ? entry.data.msg : `${entry.data.msg}: ${entry.data.err.message}`;
}
