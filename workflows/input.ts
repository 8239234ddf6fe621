import { ApplicationFailure } from '@temporalio/workflow';
import { type z } from 'zod';
import { FedloopError, type ErrorCode } from '../core/contracts/errors';
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
    throw refuse(thrown.message);
  }
}

/** The failure of a workflow, or the answer to an update, that asks for something impossible. */
export function refuse(message: string): ApplicationFailure {
  return runFailure('InvalidInput', message);
}

/** A failure that ends a run, whatever its code: steps are retried, runs are not. */
export function runFailure(type: ErrorCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}
