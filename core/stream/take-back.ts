import { type Evaluator } from './forecasts/evaluator';
import { type HeldEvent } from './windows/aside-events';
import { type Counts } from './windows/counts';
import { type DeviceTable } from './windows/device-table';
import { type Opening } from './windows/opening';
import { type OpenWindows } from './windows/open-windows';
import { type PartitionClock } from './windows/partition-clock';
import { type WindowSchedule } from './windows/window-schedule';

/** The parts of an engine that its beginning is in. */
interface Parts {
  readonly open: OpenWindows;
  readonly counts: Counts;
  readonly clock: PartitionClock;
  readonly schedule: WindowSchedule;
  readonly devices: DeviceTable;
  readonly evaluator: Evaluator;
  opening: Opening | undefined;
}

/** Nothing has closed yet, and all events in windows are one device's: put the engine back to before them, and before a late one. */
export function takeBack(engine: Parts, events: readonly HeldEvent[]): void {
  const { open, counts, clock, schedule, devices, evaluator } = engine;
  engine.opening = undefined;
  for (const window of open.inOrder()) open.release(window);
  counts.read -= 1;
  counts.late -= 1;
  counts.windowed -= events.length;
  clock.reset();
  schedule.nextEnd = Infinity;
  const device = devices.findId(events[0]?.deviceId ?? '');
  if (device >= 0 && !evaluator.history.has(device)) devices.forget([device]);
}
