import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { withFailureCodes } from '../../../activities/shared/failures';
import { longStep } from '../../../activities/shared/long-step';
import { FedloopError } from '../../../core/contracts/errors';
import { activityEnvironment } from './world';

const AWAY = { message: 'the Kafka broker k:9092 does not answer', hint: 'See that it runs.' };

/** Brokers that are away until `back`, and a step that fails as the library does meanwhile. */
function outage(failure: Error = new Error('Connection error')) {
  let trouble: typeof AWAY | undefined = AWAY;
  const { environment, heartbeats } = activityEnvironment();
  const steps = withFailureCodes({
    step: () => longStep({ trouble: () => trouble }, () => Promise.reject(failure)),
  });
  const ended: string[] = [];
  const outcome = environment
    .run(() => steps.step())
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    .finally(() => ended.push('ended'));
  return {
    environment,
    heartbeats,
    ended,
    outcome,
    back: () => {
      trouble = undefined;
    },
  };
}

describe('a long step whose brokers went away', () => {
  it('waits until they answer, and fails then with the sentence that names the broker, to be tried again', async () => {
    const { ended, outcome, back } = outage();
    await sleep(1_500);
    expect(ended).toEqual([]);
    back();
    const failed = await outcome;
    expect(failed).toBeInstanceOf(ApplicationFailure);
    expect(failed).toMatchObject({
      type: 'KafkaUnavailable',
      nonRetryable: false,
      message: 'the Kafka broker k:9092 does not answer. See that it runs.',
    });
  });

  it('fails at once with what no retry mends', async () => {
    const { outcome } = outage(new FedloopError('TooFewUpdates', '0 good updates'));
    expect(await outcome).toMatchObject({ type: 'TooFewUpdates', nonRetryable: true });
  });

  it('stops waiting when it is cancelled', async () => {
    const { environment, outcome, ended } = outage();
    await sleep(100);
    expect(ended).toEqual([]);
    environment.cancel();
    expect(await outcome).toBeInstanceOf(CancelledFailure);
  });
});

it('a step that fails while brokers answer fails as it did', async () => {
  const { environment } = activityEnvironment();
  const failing = environment.run(() =>
    longStep({ trouble: () => undefined }, () => Promise.reject(new Error('out of memory'))),
  );
  await expect(failing).rejects.toThrow('out of memory');
});
