import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TimeoutFailure, TerminatedFailure } from '@temporalio/common';
import { FedloopError, isErrorCode, messageOf, type ErrorCode } from '../../core/contracts/errors';

/** A workflow's failure as an error with a code. Temporal wraps it once for each workflow and activity on its way. */
export function workflowFailure(thrown: unknown, workflow: string): FedloopError {
  if (thrown instanceof FedloopError) return thrown;
  const causes = causesOf(thrown);
  const failure = causes.findLast((cause) => cause instanceof ApplicationFailure);
  if (failure !== undefined)
    return new FedloopError(codeOf(failure.type), `${workflow} failed: ${failure.message}`, {
      cause: thrown,
    });
  if (causes.some((cause) => cause instanceof CancelledFailure)) {
    return new FedloopError('Internal', `${workflow} was cancelled`, { cause: thrown });
  }
  if (causes.some((cause) => cause instanceof TerminatedFailure)) {
    return new FedloopError('Internal', `${workflow} was terminated`, { cause: thrown });
  }
  if (causes.some((cause) => cause instanceof TimeoutFailure)) {
    return new FedloopError(
      'ServerUnavailable',
      `${workflow} timed out: no worker carried out one of its steps in time`,
      { cause: thrown },
    );
  }
  if (causes.some(isGrpcServiceError)) {
    return new FedloopError('ServerUnavailable', `Temporal did not answer while ${workflow} was waited for`, {
      hint: 'What has begun goes on; `fedloop status` shows it.',
      cause: thrown,
    });
  }
  return new FedloopError('Internal', `${workflow} failed: ${messageOf(causes.at(-1))}`, { cause: thrown });
}

function codeOf(type: string | null | undefined): ErrorCode {
  return typeof type === 'string' && isErrorCode(type) ? type : 'Internal';
}

/** The thrown value and its causes, the outermost first. */
export function causesOf(thrown: unknown): readonly unknown[] {
  const causes: unknown[] = [];
  for (let at = thrown; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    causes.push(at instanceof WorkflowFailedError ? at.cause : at);
  }
  return causes;
}
