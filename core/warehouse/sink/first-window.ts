import { aheadOf } from '../../contracts/partition-times';
import { type Micros } from '../../contracts/time';

interface Activation {
  readonly partition: number;
  readonly fromWindow: Micros | null;
}

/** Where the evaluation of a version begins. */
export interface FirstWindow {
  /** First window that the partitions evaluate, but those that are ahead; null while no partition has read anything. */
  readonly fromWindow: Micros | null;
  /** Partitions whose times are ahead of the others': the evaluation does not wait until the fleet gets there. */
  readonly ahead: readonly number[];
}

/** The latest of the partitions' first windows, so that each of them evaluates every window from there on; those that are `aheadOf` the others are left out. */
export function firstWindowOf(activations: readonly Activation[], patience: Micros): FirstWindow {
  const starts = new Map<number, Micros>();
  for (const { partition, fromWindow } of activations)
    if (fromWindow !== null) starts.set(partition, fromWindow);
  const ahead = aheadOf(starts, patience);
  const counted = [...starts].flatMap(([partition, start]) => (ahead.has(partition) ? [] : [start]));
  return { fromWindow: counted.length === 0 ? null : Math.max(...counted), ahead: [...ahead] };
}
