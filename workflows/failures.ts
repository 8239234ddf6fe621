import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  isCancellation,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';

/**
 * A failure whose first line is its cause: Temporal's own begin with "Activity task failed" and "Child Workflow execution failed". A cancellation
 * stays what it is.
 * @param where the step that failed; left out where the cause says so
 */
export function causeFirst(thrown: unknown, where?: string): unknown {
  if (isCancellation(thrown)) return thrown;
  if (!(thrown instanceof ActivityFailure) && !(thrown instanceof ChildWorkflowFailure)) return thrown;
  const { type, message } = causeOf(thrown);
  return ApplicationFailure.create({
    ...(type === undefined ? {} : { type }),
    message: where === undefined ? message : `${where}: ${message}`,
    nonRetryable: true,
    cause: thrown,
  });
}

/** Whether an activity was not begun, or not done, within this limit. */
export function isTimeout(thrown: unknown, limit: TimeoutFailure['timeoutType']): boolean {
  return (
    thrown instanceof ActivityFailure &&
    thrown.cause instanceof TimeoutFailure &&
    thrown.cause.timeoutType === limit
  );
}

/** The first cause that says more than that something failed. */
export function causeOf(thrown: unknown): { readonly type?: string | undefined; readonly message: string } {
  if (thrown instanceof ActivityFailure || thrown instanceof ChildWorkflowFailure) {
    if (thrown.cause === undefined) return { message: thrown.message };
    if (!(thrown.cause instanceof TimeoutFailure)) return causeOf(thrown.cause);
    const last = thrown.cause.cause ?? thrown.cause.lastHeartbeatDetails;
    const tried = thrown instanceof ActivityFailure ? thrown.activityType : 'the round';
    return {
      type: 'ServerUnavailable',
      message: `${tried} was not done in time${last instanceof Error ? `; its last failure: ${causeOf(last).message}` : ''}`,
    };
  }
  if (thrown instanceof TerminatedFailure) return { message: 'the round was terminated' };
  if (thrown instanceof ApplicationFailure)
    return { type: thrown.type ?? undefined, message: thrown.message };
  return { message: thrown instanceof Error ? thrown.message : String(thrown) };
}
