import { ApplicationFailure } from '@temporalio/workflow';
import { type z } from 'zod';
import { FedloopError } from '../core/contracts/errors';
import { parseOrThrow } from '../core/contracts/validation';

/**
 * A workflow's first line: its one optional input with defaults filled in, or a failure that names the field. The failure is not
 * retryable: any other error would leave the run retrying for ever.
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  try {
    return parseOrThrow(schema, input ?? {}, 'the input');
  } catch (thrown) {
    if (!(thrown instanceof FedloopError)) throw thrown;
    throw refuse(thrown.message);
  }
}

/** A request that cannot be met: the failure of a workflow, or the answer to an update. */
export function refuse(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'InvalidInput', message, nonRetryable: true });
}
