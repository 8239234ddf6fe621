import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { FedloopError, messageOf, messageWithHint } from '../../contracts/errors';
import { parseJson } from '../../contracts/validation';
import { damagedError, isDamage } from '../database/trouble';
import { MAX_SNAPSHOTS, READER_NICENESS } from '../limits';
import { answerSql } from './answer';
import { AT_REST, requestSchema, type ReaderRequest, type ReplyHead } from './protocol';
import { readAtRest, takeSnapshot, type Snapshot } from './snapshot';

/**
 * A reader: answers queries on a snapshot of the warehouse, one after the other, in a process that may be killed at any time.
 * Arguments: the warehouse's file, a folder of its own (beside the file, unless that is at rest), and `at-rest` where nobody writes the file.
 */

let held: Snapshot | undefined;

async function answer(
  { sql, maxRows }: ReaderRequest,
  [file = '', folder = '', state]: readonly string[],
): Promise<string> {
  for (let attempt = 0; attempt < MAX_SNAPSHOTS; attempt += 1) {
    if (held !== undefined && !(await held.isCurrent())) {
      await held.close();
      held = undefined;
    }
    const outcome = await attemptAnswer(sql, maxRows, () =>
      (state === AT_REST ? readAtRest : takeSnapshot)(file, folder),
    ).catch((failure: unknown) => ({ failure }));
    if (outcome === 'spoilt') continue;
    if ('text' in outcome) return outcome.text;
    // A sound file shows no damage twice; a snapshot may, where its writer was at work.
    if (attempt + 1 === MAX_SNAPSHOTS || !isDamage(messageOf(outcome.failure))) throw outcome.failure;
    await held?.close();
    held = undefined;
  }
  throw new FedloopError(
    'WarehouseBusy',
    'the tables were written anew again and again while the query ran; ask again',
  );
}

/** @returns `spoilt` where a checkpoint came in between: what was read from blocks that have been reused is neither an answer nor a fault of the query. */
async function attemptAnswer(
  sql: string,
  maxRows: number,
  take: () => Promise<Snapshot | undefined>,
): Promise<{ readonly text: string } | { readonly failure: unknown } | 'spoilt'> {
  held ??= await take();
  if (held === undefined) return 'spoilt';
  const { connection, isIntact } = held;
  const outcome = await answerSql(connection, sql, { maxRows }).then(
    (text) => ({ text }),
    (failure: unknown) => ({ failure }),
  );
  return (await isIntact()) ? outcome : 'spoilt';
}

function reply(outcome: ReplyHead['outcome'], text: string): void {
  const body = Buffer.from(text);
  process.stdout.write(`${JSON.stringify({ outcome, bytes: body.length } satisfies ReplyHead)}\n`);
  process.stdout.write(body);
}

async function serve(words: readonly string[]): Promise<void> {
  setPriority(READER_NICENESS);
  // Ctrl-C reaches the whole group; the process that asks decides.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  const lines = createInterface({ input: process.stdin });
  // An exit would wait for a query that has no end.
  lines.on('close', () => process.kill(process.pid, 'SIGKILL'));
  for await (const line of lines) {
    try {
      reply('answered', await answer(requestSchema.parse(parseJson(line)), words));
    } catch (cause) {
      const isRefused = cause instanceof FedloopError && cause.code === 'InvalidInput';
      reply(
        isRefused ? 'refused' : 'failed',
        isRefused ? messageOf(cause) : failureText(words[0] ?? '', cause),
      );
    }
  }
}

/** A damaged file is not what DuckDB says of it, with forty frames of its own. */
function failureText(file: string, cause: unknown): string {
  const message = messageOf(cause);
  return isDamage(message) ? messageWithHint(damagedError(file, message, cause)) : message;
}

void serve(process.argv.slice(2));
