import { type Evaluator } from './forecasts/evaluator';
import { type EventPlace, type HeldEvent } from './windows/aside-events';
import { type Counts } from './windows/counts';
import { type DeviceTable } from './windows/device-table';
import { type EventsAhead } from './windows/events-ahead';
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
  readonly ahead: EventsAhead;
  ingest(bytes: Uint8Array | null, recordMicros: number, offset: number, start: number, end: number): unknown;
}

/**
 * The latest event is late, which shows the clock of the first device to be the wrong one: judge the event as if that device had not come yet,
 * and the device's events behind it.
 */
export function beginAgain(engine: Parts, first: readonly HeldEvent[], latest: EventPlace): void {
  takeBack(engine, first);
  engine.ingest(latest.bytes, latest.recordMicros, latest.offset, latest.start, latest.end);
  engine.ahead.setAside(first, latest.offset + 1);
}

/** Nothing has closed yet, and all events in windows are one device's: put the engine back to before them, and before a late one. */
function takeBack(engine: Parts, events: readonly HeldEvent[]): void {
  const { open, counts, clock, schedule, devices, evaluator } = engine;
  engine.opening = undefined;
  for (const window of open.inOrder()) open.release(window);
  counts.read -= 1;
  counts.late -= 1;
  counts.windowed -= events.length;
  counts.bad_values = 0;
  counts.absent_values = 0;
  clock.reset();
  schedule.nextEnd = Infinity;
  const device = devices.findId(events[0]?.deviceId ?? '');
  if (device >= 0 && !evaluator.history.has(device)) devices.forget([device]);
}
