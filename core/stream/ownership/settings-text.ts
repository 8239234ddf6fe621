import { DEFAULT_TASK } from '../../contracts/task';
import { type PartitionEngine } from '../engine';

/** Everything that a state depends on, as text. */
export function settingsOf({ settings }: PartitionEngine): string {
  const { task, watermarkMicros, futureMicros, clockQuorum } = settings;
  const quorum = clockQuorum === 1 ? [] : [clockQuorum];
  return JSON.stringify([task, watermarkMicros, futureMicros, ...quorum]);
}

/** The same in the form of checkpoints from before the task was a setting; null for a task that they could not have. */
export function formerSettingsOf({ settings }: PartitionEngine): string | null {
  const { task, watermarkMicros, futureMicros } = settings;
  const { windowMicros, target } = task;
  const former = {
    ...DEFAULT_TASK,
    windowMicros,
    target: { ...DEFAULT_TASK.target, tolerance: target.tolerance },
  };
  return settings.clockQuorum === 1 && JSON.stringify(former) === JSON.stringify(task)
    ? JSON.stringify([windowMicros, watermarkMicros, futureMicros, target.tolerance])
    : null;
}
