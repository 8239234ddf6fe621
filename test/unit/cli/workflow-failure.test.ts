import { ApplicationFailure } from '@temporalio/common';
import { FedloopError } from '../../../core/contracts/errors';
import { workflowFailure } from '../../../cli/temporal/workflow-failure';

describe('what ends the wait for a workflow', () => {
  it('is no failure of the workflow where Temporal alone does not answer', () => {
    const unanswered = Object.assign(new Error('4 DEADLINE_EXCEEDED: context deadline exceeded'), {
      code: 4,
      details: 'context deadline exceeded',
      metadata: {},
    });
    for (const thrown of [unanswered, new Error('Failed to get Workflow result', { cause: unanswered })])
      expect(workflowFailure(thrown, 'the round')).toMatchObject({
        code: 'ServerUnavailable',
        message: 'Temporal did not answer while the round was waited for',
      });
  });

  it('is the workflow’s own failure, with its code, where it has one', () => {
    const failed = ApplicationFailure.nonRetryable('2 of 3 updates were good', 'TooFewUpdates');
    expect(workflowFailure(new Error('Activity failed', { cause: failed }), 'the round')).toMatchObject({
      code: 'TooFewUpdates',
      message: 'the round failed: 2 of 3 updates were good',
    });
    const own = new FedloopError('NotFound', 'there is none');
    expect(workflowFailure(own, 'the round')).toBe(own);
  });
});
