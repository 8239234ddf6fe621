import { ApplicationFailure } from '@temporalio/common';
import { withFailureCodes } from '../../../activities/shared/failures';
import { activityEnvironment } from './world';

/** What Temporal is told when the activity fails so, at its n-th try. */
async function told(failure: Error, attempt: number, mustComplete: readonly 'step'[] = []): Promise<unknown> {
  const { environment } = activityEnvironment({ attempt });
  const { step } = withFailureCodes({ step: () => Promise.reject(failure) }, mustComplete);
  return environment.run(step).catch((thrown: unknown) => thrown);
}

describe('an error that nobody has thought of', () => {
  const slip = new Error('cannot read properties of undefined');

  it('is tried again seven times, and fails the step at the eighth, with what it was', async () => {
    expect(await told(slip, 7)).toBe(slip);
    const last = await told(slip, 8);
    expect(last).toBeInstanceOf(ApplicationFailure);
    expect(last).toMatchObject({
      nonRetryable: true,
      message: 'cannot read properties of undefined (after 8 tries)',
    });
  });

  it('never ends a step that must complete', async () => {
    expect(await told(slip, 80, ['step'])).toBe(slip);
  });
});

it.each([
  ['brokers that are away', Object.assign(new Error('Connection error'), { name: 'KafkaJSConnectionError' })],
  ['a full disk', new Error('ENOSPC: no space left on device, write')],
])('a failure of %s is tried again however often it comes', async (_, failure) => {
  expect(await told(failure, 80)).toBe(failure);
});
