import { z } from 'zod';

/** Characters of an error line that a message shows: a sentence and what to do, with paths, but not a page. */
const MAX_LENGTH = 600;

/** Lowest of pino's levels that stands for an error. */
const PINO_ERROR = 50;

const logEntry = z.object({
  level: z.number(),
  msg: z.string(),
  err: z.object({ message: z.string() }).optional(),
});

/**
 * The line of a failed program's stderr tail that most likely names the cause: the message of the last error of a structured log,
 * else the first line that looks like an error, else the last line. Empty for an empty tail.
 */
export function errorLine(stderrTail: string): string {
  const lines = stderrTail.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.flatMap((line) => structuredError(line) ?? []);
  // Node prints its version last, below the stack that names the cause.
  const plain = lines.filter((line) => !line.startsWith('{') && !line.startsWith('Node.js v'));
  const line =
    errors.at(-1) ??
    plain.find((line) => /\b\w*error\b|exception|fatal|cannot|denied/i.test(line)) ??
    plain.at(-1) ??
    '';
  return line.trim().slice(0, MAX_LENGTH);
}

/** Message of a pino line that reports an error. */
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
