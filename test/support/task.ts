import { DEFAULT_TASK, featureCount, historyWindows, type Task } from '../../core/contracts/task';
import { networkShape } from '../../core/model/types';

/** The default task in numbers: what most tests are about. */
export const SHAPE = networkShape(DEFAULT_TASK);
export const FEATURES = featureCount(DEFAULT_TASK);
export const HISTORY_WINDOWS = historyWindows(DEFAULT_TASK);

/** The default task with other windows, or another tolerance. */
export function taskWith({
  windowMicros = DEFAULT_TASK.windowMicros,
  tolerance = DEFAULT_TASK.target.tolerance,
}: {
  readonly windowMicros?: number;
  readonly tolerance?: number;
}): Task {
  return { ...DEFAULT_TASK, windowMicros, target: { ...DEFAULT_TASK.target, tolerance } };
}
