import { type Headers, type WorkflowInterceptors } from '@temporalio/workflow';
import { TRACE_HEADER } from '../core/contracts/tracing';

/**
 * Hands the trace that a run was started in on to all that the run starts. It makes no span and no id, and asks for no random number: a history
 * replays the same with a trace and without.
 */
export function interceptors(): WorkflowInterceptors {
  let trace: Headers = {};
  const passOn = <Input extends { readonly headers: Headers }>(input: Input): Input => ({
    ...input,
    headers: { ...trace, ...input.headers },
  });
  return {
    inbound: [
      {
        execute(input, next) {
          const given = input.headers[TRACE_HEADER];
          trace = given === undefined ? {} : { [TRACE_HEADER]: given };
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(passOn(input)),
        scheduleLocalActivity: (input, next) => next(passOn(input)),
        startChildWorkflowExecution: (input, next) => next(passOn(input)),
        continueAsNew: (input, next) => next(passOn(input)),
      },
    ],
  };
}
