import { describeRetries } from '../../../cli/temporal/retries';

const decide = (attempt: number, message: string) => ({
  activityType: { name: 'decide' },
  attempt,
  lastFailure: { message, cause: { message: 'ENOSPC' } },
});

describe('what a workflow tries again and again', () => {
  it('is told with how often it failed, and with what at last', () => {
    expect(
      describeRetries('fedloop-round', { pendingActivities: [decide(5, 'no disk space left.')] }),
    ).toEqual([
      'fedloop-round: decide has failed 4 times, at last with: no disk space left; it is tried again',
    ]);
  });

  it('is told with the cause where the failure itself says nothing', () => {
    expect(describeRetries('fedloop-round', { pendingActivities: [decide(3, '')] })).toEqual([
      'fedloop-round: decide has failed 2 times, at last with: ENOSPC; it is tried again',
    ]);
  });

  it('is nothing yet after one failure, nor while a first attempt works', () => {
    const first = { activityType: { name: 'aggregate' }, attempt: 1 };
    expect(describeRetries('fedloop-round', { pendingActivities: [decide(2, 'away'), first] })).toEqual([]);
    expect(describeRetries('fedloop-round', { pendingWorkflowTask: { attempt: 2 } })).toEqual([]);
  });

  it('is its own task as well, whose failures no activity shows', () => {
    expect(describeRetries('fedloop-evaluation', { pendingWorkflowTask: { attempt: 7 } })).toEqual([
      'fedloop-evaluation: its workflow task has failed 6 times and is tried again; the log of the rounds worker says why',
    ]);
  });
});
