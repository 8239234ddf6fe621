import { z } from 'zod';

/** Characters of an error line that a message shows: a sentence and what to do, with paths, but not a page. */
const MAX_LENGTH = 600;

/** A line of a stack, of Java or JavaScript: where something failed, not what. */
const STACK_FRAME = /^\s*at \S/;

/** Lowest of pino's levels that stands for an error. */
const PINO_ERROR = 50;
/** What a program logs that ends for it. */
const PINO_FATAL = 60;

const logEntry = z.object({
  level: z.number(),
  msg: z.string(),
  err: z.object({ message: z.string() }).optional(),
});

/**
 * The line of a failed program's stderr tail that most likely names the cause: the message of the last error of a structured log, or the
 * sentence that the program wrote below it and ended with; without a structured error the first line that looks like one, else the last line.
 * Empty for an empty tail.
 */
export function errorLine(stderrTail: string): string {
  // Node prints its version last, below the stack that names the cause.
  const lines = stderrTail.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Node.js v'));
  const isPlain = (line: string): boolean => !line.startsWith('{');
  const plain = lines.filter((line) => isPlain(line) && !STACK_FRAME.test(line));
  const at = lines.findLastIndex((line) => structuredError(line) !== undefined);
  const error = structuredError(lines[at] ?? '');
  const last = lines.at(-1) ?? '';
  // An error that the program outlived, such as a message that it passed over, is not why it ended.
  const ended = error?.isFatal === false && isPlain(last) ? last : undefined;
  const line =
    ended ??
    error?.message ??
    plain.find((line) => /\b\w*error\b|exception|fatal|cannot|denied/i.test(line)) ??
    plain.at(-1) ??
    lines.at(-1) ??
    '';
  return line.trim().slice(0, MAX_LENGTH);
}

/** What a pino line reports that stands for an error. */
function structuredError(line: string): { readonly message: string; readonly isFatal: boolean } | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const entry = logEntry.safeParse(json);
  if (!entry.success || entry.data.level < PINO_ERROR) return undefined;
  const { level, msg, err } = entry.data;
  return { message: err === undefined ? msg : `${msg}: ${err.message}`, isFatal: level >= PINO_FATAL };
}
