import { type LeaseInput, type LeaseResult } from '../core/contracts/evaluation';
import { evaluateStream, type EvaluateStreamDependencies } from './evaluate-stream';
import { withFailureCodes } from './shared/failures';

/** The activities of a stream worker, each on a queue of its own. */
export interface StreamActivities {
  evaluateStream(input: LeaseInput): Promise<LeaseResult>;
}

export function createStreamActivities(dependencies: EvaluateStreamDependencies): StreamActivities {
  return withFailureCodes<StreamActivities>({
    evaluateStream: (input) => evaluateStream(dependencies, input),
  });
}
