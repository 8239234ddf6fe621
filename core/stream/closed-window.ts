import { emptyAnalysis, emptyEvaluations } from '../contracts/blocks';
import { type StreamSettings } from '../contracts/settings';
import { covariateColumns, historyWindows } from '../contracts/task';
import { type Micros } from '../contracts/time';
import { type Evaluator } from './forecasts/evaluator';
import { type Counts } from './windows/counts';
import { type DeviceTable } from './windows/device-table';
import { type OpenWindow, type OpenWindows } from './windows/open-windows';
import { type PartitionClock } from './windows/partition-clock';
import { type ClosedWindow } from './windows/rows';
import { type DeviceSummary, pushAnalysisRow, summariseCell } from './windows/summary';

/** The parts of an engine that a closing window concerns. */
interface Parts {
  readonly partition: number;
  readonly settings: StreamSettings;
  readonly devices: DeviceTable;
  readonly open: OpenWindows;
  readonly evaluator: Evaluator;
  readonly counts: Counts;
  readonly clock: PartitionClock;
  readonly closedUntil: Micros;
}

/** Rows of a window that closes, devices in the order of their ids; the evaluator learns from them. */
export function closedWindow(
  { partition, settings: { task, outlierZ }, devices, open, evaluator, counts, closedUntil }: Parts,
  start: Micros,
  window: OpenWindow | undefined,
): ClosedWindow {
  const analysis = emptyAnalysis(task);
  const evaluations = emptyEvaluations();
  const columns = covariateColumns(task);
  const summaries = new Map<number, DeviceSummary>();
  for (const device of window === undefined ? [] : devices.inOrder()) {
    const cell = open.cells.find(device, start);
    if (cell < 0) continue;
    const summary = summariseCell(open.cells, cell, outlierZ);
    summaries.set(device, summary);
    pushAnalysisRow(analysis, columns, devices.idOf(device), summary);
  }
  const idOf = (device: number): string => devices.idOf(device);
  counts.no_forecast += evaluator.closeWindow(start, summaries, idOf, evaluations);
  const after = Number.isFinite(closedUntil) ? closedUntil : null;
  return { partition, start, end: start + task.windowMicros, after, analysis, evaluations };
}

/** Forget devices whose last window is older than all lags: no row can depend on them any more. */
export function forgetVanished({ closedUntil, settings, devices, evaluator, open, clock }: Parts): void {
  const { history } = evaluator;
  const oldestLag = closedUntil - settings.task.windowMicros * historyWindows(settings.task);
  const vanished: number[] = [];
  for (const device of devices.inOrder()) {
    if (history.newest(device) >= oldestLag || open.cells.has(device)) continue;
    evaluator.forget(device);
    vanished.push(device);
  }
  devices.forget(vanished);
  clock.forget(vanished);
}
