import { ApplicationFailure } from '@temporalio/workflow';
import { type z } from 'zod';
import { FedloopError } from '../core/contracts/errors';
import { parseOrThrow } from '../core/contracts/validation';

/**
 * A workflow's first line: its one optional input with defaults filled in, or a failure that names the field and that no
 * retry can mend (anything else would leave the run retrying for ever).
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  try {
    return parseOrThrow(schema, input ?? {}, 'the input');
  } catch (thrown) {
    if (!(thrown instanceof FedloopError)) throw thrown;
    throw ApplicationFailure.create({ type: thrown.code, message: thrown.message, nonRetryable: true });
  }
}
