import { type Micros } from '../../contracts/time';
import { type Activation } from './windows';

/** Where the evaluation of a version begins. */
export interface FirstWindow {
  /** First window that the partitions evaluate, but those that are ahead; null while no partition has read anything. */
  readonly fromWindow: Micros | null;
  /** Partitions whose times are ahead of the others': the evaluation does not wait until the fleet gets there. */
  readonly ahead: readonly number[];
}

/**
 * The latest of the partitions' first windows, so that each of them evaluates every window from there on. One that begins more than `patience`
 * behind where at least half of the partitions begin (of two: the earlier one) is left out: its devices' clocks are ahead, or the others' read a backlog.
 */
export function firstWindowOf(activations: readonly Activation[], patience: Micros): FirstWindow {
  const known = activations.flatMap(({ partition, fromWindow }) =>
    fromWindow === null ? [] : [{ partition, fromWindow }],
  );
  const starts = known.map(({ fromWindow }) => fromWindow).sort((one, other) => one - other);
  const most = Math.max(2, Math.ceil(starts.length / 2));
  const usual = starts[Math.max(0, starts.length - most)];
  if (usual === undefined) return { fromWindow: null, ahead: [] };
  const near = starts.filter((start) => start - usual <= patience);
  const ahead = known.filter(({ fromWindow }) => fromWindow - usual > patience);
  return { fromWindow: near.at(-1) ?? usual, ahead: ahead.map(({ partition }) => partition) };
}
