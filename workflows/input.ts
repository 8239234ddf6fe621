import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
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

/**
 * What a run takes along when it continues as new, its workflow's second input. A person who starts a run gives none, but Temporal's UI takes
 * any number of inputs.
 * @throws ApplicationFailure `InvalidInput` for a run that continues none, and whose second input is no state
 */
export function takenAlong<State>(
  schema: z.ZodType<State>,
  state: State | null | undefined,
  start: State,
): State {
  if (state === undefined || state === null) return start;
  // What a run of an earlier release has left is not refused: its successor would be lost.
  if (workflowInfo().continuedFromExecutionRunId !== undefined) return state;
  try {
    return parseOrThrow(schema, state, 'the second input');
  } catch (thrown) {
    if (!(thrown instanceof FedloopError)) throw thrown;
    throw refuse(`${thrown.message}; leave it out: it is what a run takes along when it continues as new`);
  }
}

/** A request that cannot be met: the failure of a workflow, or the answer to an update. */
export function refuse(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'InvalidInput', message, nonRetryable: true });
}
