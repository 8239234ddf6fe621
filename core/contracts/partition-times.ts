import { SILENT_WINDOWS } from './readiness';
import { type Micros } from './time';

/** How far the times of partitions may lie apart, where nothing is wrong: late events are waited for, and a device may skip windows. */
export function patienceOf(settings: {
  readonly watermarkMicros: Micros;
  readonly task: { readonly windowMicros: Micros };
}): Micros {
  return settings.watermarkMicros + SILENT_WINDOWS * settings.task.windowMicros;
}

/**
 * Partitions whose times lie more than `patience` behind what at least half of them have reached (of two: behind the earlier one). Their devices' clocks
 * are ahead, or the others read a backlog.
 */
export function aheadOf(times: ReadonlyMap<number, Micros>, patience: Micros): ReadonlySet<number> {
  const inOrder = [...times.values()].sort((one, other) => one - other);
  const usual = inOrder[Math.max(0, inOrder.length - halfOf(inOrder.length))] ?? Infinity;
  return new Set([...times].flatMap(([partition, time]) => (time - usual > patience ? [partition] : [])));
}

/** At least half of so many partitions; of two, both. */
export function halfOf(partitions: number): number {
  return Math.max(2, Math.ceil(partitions / 2));
}
