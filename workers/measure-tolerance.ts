import { FedloopError } from '../core/contracts/errors';
import { type StreamSettings } from '../core/contracts/settings';
import { type Kafka } from '../core/platform/kafka';

/** How far a measurement is. */
export interface MeasuringProgress {
  readonly messages: number;
  readonly of: number;
}

/**
 * Measure the tolerance of a new fleet on the messages that its source has by now.
 * @throws FedloopError `InvalidConfig` when they are too few.
 */
export async function measureTolerance(
  kafka: Kafka,
  settings: StreamSettings,
  onProgress: (progress: MeasuringProgress) => void,
): Promise<number> {
  void kafka;
  onProgress({ messages: 0, of: 0 });
  const { sensor } = settings.task.target;
  return Promise.reject(
    new FedloopError(
      'InvalidConfig',
      `the tolerance of ${sensor} cannot be measured yet: give it as a number`,
    ),
  );
}
