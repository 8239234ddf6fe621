import { isPlausible } from '../contracts/events';
import { type StreamSettings } from '../contracts/settings';
import { readingFault } from '../contracts/task';
import { windowStartOf, type Micros } from '../contracts/time';
import { type MappedReading } from './readings';

/** A device's readings in one window. */
interface WindowSum {
  sum: number;
  count: number;
}

/** Digits of a tolerance: more of them would be chance. */
const TOLERANCE_DIGITS = 2;

/** How much the target's window means of a fleet change from one window to the next, device by device. */
export class WindowChanges {
  private readonly devices = new Map<string, Map<Micros, WindowSum>>();

  constructor(private readonly settings: Pick<StreamSettings, 'task' | 'plausible'>) {}

  /** Count a reading; one that the fleet would put aside is left out. */
  add({
    deviceId,
    micros,
    values: [value = NaN],
  }: Pick<MappedReading, 'deviceId' | 'micros' | 'values'>): void {
    const { task, plausible } = this.settings;
    if (readingFault(task.target, value) !== undefined || !isPlausible(plausible, micros)) return;
    const windows = this.devices.get(deviceId) ?? new Map<Micros, WindowSum>();
    this.devices.set(deviceId, windows);
    const start = windowStartOf(micros, task.windowMicros);
    const window = windows.get(start) ?? { sum: 0, count: 0 };
    windows.set(start, window);
    window.sum += value;
    window.count += 1;
  }

  /**
   * Absolute changes from one window with readings to the next, ascending, in the target's unit. No window lies between the two, but for a
   * sensor that sends on change as many as its last reading stays true for.
   */
  sorted(): Float64Array {
    const { windowMicros, target } = this.settings.task;
    const apart = windowMicros + (target.holdMicros ?? 0);
    const changes: number[] = [];
    for (const windows of this.devices.values()) {
      const inOrder = [...windows].sort(([one], [other]) => one - other);
      inOrder.forEach(([start, window], index) => {
        const before = inOrder[index - 1];
        if (before === undefined || start - before[0] > apart) return;
        changes.push(Math.abs(window.sum / window.count - before[1].sum / before[1].count));
      });
    }
    return Float64Array.from(changes).sort();
  }
}

/** The median of sorted changes, as a tolerance is written: two significant digits. */
export function toleranceOf(sorted: Float64Array): number {
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? NaN;
  const high = sorted[Math.floor(middle)] ?? NaN;
  return Number(((low + high) / 2).toPrecision(TOLERANCE_DIGITS));
}
