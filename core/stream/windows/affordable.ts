import { FedloopError } from '../../contracts/errors';
import { type StreamSettings } from '../../contracts/settings';
import { MAX_OPEN_WINDOWS } from '../limits';

/** @throws FedloopError `InvalidConfig` for settings under which too many windows would be open at once. */
export function assertAffordable({ windowMicros, watermarkMicros }: StreamSettings): void {
  const open = Math.ceil(watermarkMicros / windowMicros) + 2;
  if (open <= MAX_OPEN_WINDOWS) return;
  throw new FedloopError(
    'InvalidConfig',
    `the watermark would keep ${open} windows open at once; at most ${MAX_OPEN_WINDOWS} are allowed`,
    { hint: 'Use larger windows or a shorter watermark.' },
  );
}
